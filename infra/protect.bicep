// One subscription that Countersign protects: what the responder may do in it, and Defender's alerts from it.
targetScope = 'subscription'

@minLength(1)
@description('Region of the automation. The resource group for it is made there.')
param location string

@minLength(36)
@maxLength(36)
@description('Object id of the responder\'s identity: the output COUNTERSIGN_PRINCIPAL_ID of main.bicep.')
param principalId string

@minLength(1)
@description('Resource id of the Logic App: the output COUNTERSIGN_WORKFLOW_ID of main.bicep.')
param workflowId string

@description('Roles of the responder here. Leave out destroyer or remover, and their steps fail and say which right they lack; reader alone plans and changes nothing.')
param roles array = [
  'reader'
  'responder'
  'destroyer'
  'remover'
]

@description('Severities of the alerts that start an incident. Informational alerts start none unless you add them.')
param severities array = [
  'High'
  'Medium'
  'Low'
]

@description('Switch Defender for Resource Manager on. It is charged by the subscription.')
param enablePlan bool = true

@description('Resource id of the Log Analytics workspace that the Activity Log is streamed to: the output COUNTERSIGN_WORKSPACE_ID of main.bicep, or another. Empty: it is not.')
param workspaceId string = ''

@description('Resource group of the automation.')
param resourceGroupName string = 'rg-countersign-alerts'

@description('Lock that resource group against deletion.')
param locked bool = true

var definitions = loadJsonContent('roles.json')
var workflowParts = split(workflowId, '/')
var homeGroupId = '/subscriptions/${workflowParts[2]}/resourceGroups/${workflowParts[4]}'
var trigger = 'When_an_Azure_Security_Center_Alert_is_created_or_triggered'

// Whoever changes a role has to be allowed to wherever it can be given. In its own group the responder is not, so that
// it can't widen what it may do here.
resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for key in roles: {
  name: guid(subscription().id, definitions[key].id)
  properties: {
    roleName: '${definitions[key].name} (${uniqueString(subscription().id)})'
    description: definitions[key].description
    type: 'CustomRole'
    assignableScopes: [
      subscription().id
      homeGroupId
    ]
    permissions: [
      {
        actions: definitions[key].actions
        notActions: definitions[key].notActions
        dataActions: definitions[key].dataActions
      }
    ]
  }
}]

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (key, n) in roles: {
  name: guid(subscription().id, principalId, definitions[key].id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition[n].id
    condition: empty(definitions[key].condition) ? null : replace(definitions[key].condition, '<principal>', principalId)
    conditionVersion: empty(definitions[key].condition) ? null : '2.0'
  }
}]

resource plan 'Microsoft.Security/pricings@2024-01-01' = if (enablePlan) {
  name: 'Arm'
  properties: {
    pricingTier: 'Standard'
    subPlan: 'PerSubscription'
  }
}

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
}

module automation 'modules/automation.bicep' = {
  name: 'countersign-automation'
  scope: group
  params: {
    location: location
    workflowId: workflowId
    trigger: trigger
    severities: severities
  }
}

module lock 'modules/lock.bicep' = if (locked) {
  name: 'countersign-lock'
  scope: group
  dependsOn: [
    automation
  ]
}

resource streamed 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'countersign'
  properties: {
    workspaceId: workspaceId
    logs: [for category in ['Administrative', 'Security', 'Alert', 'Policy', 'Autoscale', 'ResourceHealth', 'ServiceHealth', 'Recommendation']: {
      category: category
      enabled: true
    }]
  }
}

@description('Resource id of the automation: what doctor looks for.')
output COUNTERSIGN_AUTOMATION_ID string = automation.outputs.id
