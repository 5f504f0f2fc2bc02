// Defender's workflow automation: alerts of Resource Manager, of these severities, to the Logic App.
@description('Region.')
param location string

@description('Resource id of the Logic App. It may lie in another subscription.')
param workflowId string

@description('Name of its trigger.')
param trigger string

@description('Severities of the alerts.')
param severities array

resource automation 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'countersign'
  location: location
  properties: {
    description: 'Alerts of Defender for Resource Manager to Countersign'
    isEnabled: true
    scopes: [
      {
        description: 'this subscription'
        scopePath: subscription().id
      }
    ]
    sources: [
      {
        eventSource: 'Alerts'
        // All rules of a set have to hold; one set has to.
        ruleSets: [for severity in severities: {
          rules: [
            {
              propertyJPath: 'ProductComponentName'
              propertyType: 'String'
              operator: 'Equals'
              expectedValue: 'ResourceManager'
            }
            {
              propertyJPath: 'Severity'
              propertyType: 'String'
              operator: 'Equals'
              expectedValue: severity
            }
          ]
        }]
      }
    ]
    actions: [
      {
        actionType: 'LogicApp'
        logicAppResourceId: workflowId
        uri: listCallbackUrl('${workflowId}/triggers/${trigger}', '2019-05-01').value
      }
    ]
  }
}

output id string = automation.id
