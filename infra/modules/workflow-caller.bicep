// Lets the policy's identity read the address of the Logic App's trigger, and nothing else.
@description('Name of the Logic App.')
param workflowName string

@description('Object id of the policy\'s identity.')
param principalId string

resource workflow 'Microsoft.Logic/workflows@2019-05-01' existing = {
  name: workflowName
}

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'countersign/workflow-caller')
  properties: {
    roleName: 'Countersign Workflow Caller (${uniqueString(resourceGroup().id)})'
    description: 'Reads the address of the trigger of a Logic App.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Logic/workflows/read'
          'Microsoft.Logic/workflows/triggers/read'
          'Microsoft.Logic/workflows/triggers/listCallbackUrl/action'
        ]
      }
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workflow.id, principalId, 'countersign/workflow-caller')
  scope: workflow
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition.id
  }
}
