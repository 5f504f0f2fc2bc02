// Lets the responder read the Activity Log in a workspace, and nothing else there.
@description('Name of the workspace.')
param name string

@description('Object id of the responder.')
param principalId string

var role = loadJsonContent('../roles.json').logs

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: name
}

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, role.id)
  properties: {
    roleName: '${role.name} (${uniqueString(resourceGroup().id)})'
    description: role.description
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: role.actions
        notActions: role.notActions
        dataActions: role.dataActions
      }
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, principalId, role.id)
  scope: workspace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition.id
  }
}

output guid string = workspace.properties.customerId
