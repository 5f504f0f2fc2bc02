// What the Functions host and the engine keep, the packages of the code, and dead letters. Evidence has an account of its
// own, since whoever runs the host may do anything in this one.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Whether it is reached by private endpoints only.')
param private bool

@description('How often it is kept.')
param redundancy string

@description('Object id of the responder.')
param principalId string

var packages = 'packages'
var deadLetters = 'deadletters'
// Storage Blob Data Owner, Storage Queue Data Contributor, Storage Table Data Contributor: Durable Functions needs all three.
var roles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
]
var reached = private ? 'Disabled' : 'Enabled'
var others = private ? 'Deny' : 'Allow'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stcs${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: reached
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: others
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for name in [packages, deadLetters]: {
  parent: blobs
  name: name
  properties: {
    publicAccess: 'None'
  }
}]

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in roles: {
  name: guid(account.id, principalId, role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

output id string = account.id
output name string = account.name
output packages string = '${account.properties.primaryEndpoints.blob}${packages}'
output deadLetters string = deadLetters
