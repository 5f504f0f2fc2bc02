// New passwords, which the responder writes and can't read; and its two secrets, of which it reads just these.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Whether it is reached by private endpoints only.')
param private bool

@description('Resource id of the workspace that every access is logged to.')
param workspaceId string

@description('Object id of the responder.')
param principalId string

@secure()
@description('What signs the links in mails.')
param linkKey string

@secure()
@description('Channels; empty for none.')
param channels string

@description('Whether there are any.')
param hasChannels bool

var role = loadJsonContent('../roles.json').secrets
var reader = '4633458b-17de-408a-b874-0445c86b69e6'
var reached = private ? 'Disabled' : 'Enabled'
var others = private ? 'Deny' : 'Allow'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-cs-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: reached
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: others
    }
  }
}

resource key 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'link-key'
  properties: {
    value: linkKey
    contentType: 'text/plain'
  }
}

resource told 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (hasChannels) {
  parent: vault
  name: 'channels'
  properties: {
    value: channels
    contentType: 'text/plain'
  }
}

resource readsKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(key.id, principalId, reader)
  scope: key
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', reader)
  }
}

resource readsChannels 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasChannels) {
  name: guid(told.id, principalId, reader)
  scope: told
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', reader)
  }
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

resource writes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, role.id)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition.id
  }
}

resource logged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'countersign'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output url string = 'https://${vault.name}${environment().suffixes.keyvaultDns}'
output linkKey string = '@Microsoft.KeyVault(SecretUri=${key.properties.secretUri})'
output channels string = hasChannels ? '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/channels)' : ''
