// All subscriptions beneath a management group, also those that come later: roles are inherited, and policies switch the
// plan on, make the automation and stream the Activity Log in each: in those that are there already by remediation, as
// docs/deploy.md says, since that takes what Azure Policy found out before. Each still has to be named in the responder's
// setting COUNTERSIGN_SUBSCRIPTIONS: alerts of others are refused.
targetScope = 'managementGroup'

@minLength(1)
@description('Region of the automations and of the policies\' identities.')
param location string

@minLength(36)
@maxLength(36)
@description('Object id of the responder\'s identity: the output COUNTERSIGN_PRINCIPAL_ID of main.bicep.')
param principalId string

@minLength(1)
@description('Resource id of the Logic App: the output COUNTERSIGN_WORKFLOW_ID of main.bicep.')
param workflowId string

@description('Roles of the responder in all of them.')
param roles array = [
  'reader'
  'responder'
  'destroyer'
  'remover'
]

@description('Severities of the alerts that start an incident.')
param severities array = [
  'High'
  'Medium'
  'Low'
]

@description('Switch Defender for Resource Manager on in all of them. It is charged by the subscription.')
param enablePlan bool = true

@description('Resource id of the Log Analytics workspace that the Activity Logs are streamed to. Empty: they are not.')
param workspaceId string = ''

@description('Resource group of the automation, made in each subscription.')
param resourceGroupName string = 'rg-countersign-alerts'

var definitions = loadJsonContent('roles.json')
var workflowParts = split(workflowId, '/')
var homeGroupId = '/subscriptions/${workflowParts[2]}/resourceGroups/${workflowParts[4]}'
var trigger = 'When_an_Azure_Security_Center_Alert_is_created_or_triggered'
var workspaceParts = split(empty(workspaceId) ? workflowId : workspaceId, '/')
// Policies of Microsoft's: Defender for Resource Manager on, and the Activity Log to a workspace.
var planPolicy = tenantResourceId('Microsoft.Authorization/policyDefinitions', 'b7021b2b-08fd-4dc0-9de7-3c6ece09faf9')
var logPolicy = tenantResourceId('Microsoft.Authorization/policyDefinitions', '2465583e-4e78-4c15-b6be-a36cbc7c8b0f')
// What the policies' identities take: Contributor, Security Admin, Monitoring Contributor.
var contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c'
var securityAdmin = 'fb1c8493-542b-48eb-b624-b4c8fea62acd'
var monitoringContributor = '749f88d5-cbae-40b8-bcfc-e573ddc772fa'

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for key in roles: {
  name: guid(managementGroup().id, definitions[key].id)
  properties: {
    roleName: '${definitions[key].name} (${uniqueString(managementGroup().id)})'
    description: definitions[key].description
    type: 'CustomRole'
    assignableScopes: [
      managementGroup().id
      homeGroupId
    ]
    permissions: [
      {
        actions: definitions[key].actions
        notActions: definitions[key].notActions
      }
    ]
  }
}]

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (key, n) in roles: {
  name: guid(managementGroup().id, principalId, definitions[key].id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition[n].id
    condition: empty(definitions[key].condition) ? null : replace(definitions[key].condition, '<principal>', principalId)
    conditionVersion: empty(definitions[key].condition) ? null : '2.0'
  }
}]

resource policy 'Microsoft.Authorization/policyDefinitions@2025-03-01' = {
  name: 'countersign-automation'
  properties: loadJsonContent('policy.json')
}

resource automation 'Microsoft.Authorization/policyAssignments@2025-03-01' = {
  name: 'countersign-automation'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Countersign: alerts of Defender for Resource Manager'
    policyDefinitionId: policy.id
    parameters: {
      resourceGroupName: {
        value: resourceGroupName
      }
      location: {
        value: location
      }
      workflowId: {
        value: workflowId
      }
      trigger: {
        value: trigger
      }
      severities: {
        value: severities
      }
    }
  }
}

resource deploysAutomation 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(managementGroup().id, automation.id, contributor)
  properties: {
    principalId: automation.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}

// The address of the Logic App's trigger is read by whoever makes the automation.
module readsAddress 'modules/workflow-caller.bicep' = {
  name: 'countersign-workflow-caller'
  scope: resourceGroup(workflowParts[2], workflowParts[4])
  params: {
    workflowName: workflowParts[8]
    principalId: automation.identity.principalId
  }
}

resource plan 'Microsoft.Authorization/policyAssignments@2025-03-01' = if (enablePlan) {
  name: 'countersign-plan'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Countersign: Defender for Resource Manager is on'
    policyDefinitionId: planPolicy
  }
}

resource switchesPlan 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (enablePlan) {
  name: guid(managementGroup().id, plan.id, securityAdmin)
  properties: {
    principalId: plan.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', securityAdmin)
  }
}

resource logs 'Microsoft.Authorization/policyAssignments@2025-03-01' = if (!empty(workspaceId)) {
  name: 'countersign-logs'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Countersign: the Activity Log goes to the workspace'
    policyDefinitionId: logPolicy
    parameters: {
      logAnalytics: {
        value: workspaceId
      }
    }
  }
}

resource streams 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(workspaceId)) {
  name: guid(managementGroup().id, logs.id, monitoringContributor)
  properties: {
    principalId: logs.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', monitoringContributor)
  }
}

module writesLogs 'modules/workspace-caller.bicep' = if (!empty(workspaceId)) {
  name: 'countersign-workspace-caller'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    workspaceName: workspaceParts[8]
    principalId: empty(workspaceId) ? '' : logs.identity.principalId
  }
}
