// Where evidence and journal are kept: written once, never changed, and deleted by nobody before its time.
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

@description('Days for which what is written can neither be changed nor deleted; 0 leaves the policy as it is.')
param days int

@description('Resource id of the workspace that reads and writes are logged to.')
param workspaceId string

@description('Object id of the responder.')
param principalId string

@description('Resource id of the responder\'s own group, where it holds no right to write roles: so it can\'t change this one.')
param homeGroupId string

var role = loadJsonContent('../roles.json').evidence
var reached = private ? 'Disabled' : 'Enabled'
var others = private ? 'Deny' : 'Allow'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stev${token}'
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
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'evidence'
  properties: {
    publicAccess: 'None'
    immutableStorageWithVersioning: {
      enabled: true
    }
  }
}

// Not locked yet: so it can be taken back until somebody locks it for good, as docs/deploy.md says. One that is locked
// Azure only lets be extended: written again, even as it is, it fails the deployment.
resource immutable 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-01-01' = if (days > 0) {
  parent: container
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: days
    allowProtectedAppendWrites: false
  }
}

resource logged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'countersign'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
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
      homeGroupId
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
  name: guid(resourceGroup().id, principalId, role.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: definition.id
  }
}

output id string = account.id
output container string = '${account.properties.primaryEndpoints.blob}${container.name}'
