// Says so when the responder itself fails: alerts that did not get through, dead letters, functions and runs that break.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Mail addresses that are told.')
param mails array

@description('Resource id of the Logic App.')
param workflowId string

@description('Resource id of the Event Grid topic.')
param topicId string

@description('Resource id of Application Insights.')
param insightsId string

@description('Resource id of the Key Vault.')
param vaultId string

var metrics = [
  {
    name: 'alerts-not-delivered'
    says: 'The Logic App could not hand an alert to the responder.'
    of: workflowId
    namespace: 'Microsoft.Logic/workflows'
    metric: 'RunsFailed'
  }
  {
    name: 'alerts-not-started'
    says: 'The trigger of the Logic App failed.'
    of: workflowId
    namespace: 'Microsoft.Logic/workflows'
    metric: 'TriggersFailed'
  }
  {
    name: 'dead-letters'
    says: 'Event Grid gave up on an alert: it is in the container deadletters.'
    of: topicId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'DeadLetteredCount'
  }
  {
    name: 'lost-alerts'
    says: 'Event Grid dropped an alert, and could not keep it as a dead letter.'
    of: topicId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'DroppedEventCount'
  }
  {
    name: 'refused-events'
    says: 'Event Grid refused an event that somebody published.'
    of: topicId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'PublishFailCount'
  }
]
var queries = [
  {
    name: 'functions-that-fail'
    says: 'A function of the responder failed, or a run broke: the incident says what to do.'
    query: 'requests | where success == false'
  }
  {
    name: 'refused-alerts'
    says: 'An event was refused: the evidence has it under refused/.'
    query: 'traces | where message startswith "An event was refused"'
  }
  {
    name: 'heartbeat'
    says: 'Sample alerts of Defender were asked for and did not arrive: no alert may arrive. python -m playbooks doctor.'
    query: 'traces | where message startswith "The heartbeat"'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(mails)) {
  name: 'ag-countersign-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'countersign'
    emailReceivers: [for (mail, n) in mails: {
      name: 'mail-${n}'
      emailAddress: mail
      useCommonAlertSchema: true
    }]
  }
}

resource counted 'Microsoft.Insights/metricAlerts@2018-03-01' = [for one in metrics: {
  name: 'countersign-${one.name}-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: one.says
    enabled: true
    severity: 1
    scopes: [
      one.of
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: one.metric
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: one.namespace
          metricName: one.metric
          // None of these has been counted yet when this is deployed first.
          skipMetricValidation: true
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Total'
        }
      ]
    }
    actions: empty(mails) ? [] : [
      {
        actionGroupId: people.id
      }
    ]
  }
}]

resource vaultIsSlow 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'countersign-vault-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The Key Vault does not answer: new passwords can not be kept, so none is set.'
    enabled: true
    severity: 2
    scopes: [
      vaultId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'Availability'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.KeyVault/vaults'
          metricName: 'Availability'
          operator: 'LessThan'
          threshold: 99
          timeAggregation: 'Average'
        }
      ]
    }
    actions: empty(mails) ? [] : [
      {
        actionGroupId: people.id
      }
    ]
  }
}

resource asked 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for one in queries: {
  name: 'countersign-${one.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: one.name
    description: one.says
    enabled: true
    severity: 1
    scopes: [
      insightsId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    // Nothing has been logged yet when this is deployed first.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: one.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: false
    actions: {
      actionGroups: empty(mails) ? [] : [
        people.id
      ]
    }
  }
}]
