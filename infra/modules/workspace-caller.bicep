// Lets the policy's identity stream Activity Logs to the workspace.
@description('Name of the workspace.')
param workspaceName string

@description('Object id of the policy\'s identity.')
param principalId string

var contributor = '92aaf0da-9dab-42b6-94a3-d43ce8d16293'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, principalId, contributor)
  scope: workspace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}
