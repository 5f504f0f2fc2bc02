// The Logic App that Defender's workflow automation calls. What it does is in workflow.json, which the tests run.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the identity that it calls with.')
param identityId string

@description('URL that takes alerts.')
param functionUrl string

@description('Whom tokens for the function are for.')
param audience string

@description('URL of the Event Grid topic.')
param topicUrl string

@description('Whom tokens for the topic are for.')
param topicAudience string

@description('Resource id of the workspace that runs are logged to.')
param workspaceId string

var api = subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'ascalert')
var text = loadTextContent('../workflow.json')
var called = replace(replace(text, '<function-url>', functionUrl), '<audience>', audience)
var published = replace(replace(called, '<topic-url>', topicUrl), '<topic-audience>', topicAudience)

resource connection 'Microsoft.Web/connections@2016-06-01' = {
  name: 'ascalert-${token}'
  location: location
  tags: tags
  properties: {
    displayName: 'Alerts of Microsoft Defender for Cloud'
    customParameterValues: {}
    api: {
      id: api
    }
  }
}

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: 'logic-countersign-${token}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    state: 'Enabled'
    definition: json(replace(published, '<identity>', identityId))
    parameters: {
      '$connections': {
        value: {
          ascalert: {
            connectionId: connection.id
            connectionName: connection.name
            id: api
          }
        }
      }
    }
  }
}

resource logged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'countersign'
  scope: workflow
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'WorkflowRuntime'
        enabled: true
      }
    ]
  }
}

output id string = workflow.id
