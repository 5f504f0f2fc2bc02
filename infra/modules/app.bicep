// The function app, and who may call it.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Version of Python.')
param pythonVersion string

@description('Memory of an instance in MB.')
param instanceMemory int

@description('Most instances at once.')
param maximumInstances int

@description('Instances that are always there for orchestrations.')
param alwaysReady int

@description('Resource id of the subnet that it calls out from; empty for none.')
param subnetId string

@description('Name of the storage account of the host.')
param storageName string

@description('URL of the container of packages.')
param packages string

@description('Connection string of Application Insights. No secret: keys are turned off there.')
param insightsConnection string

@description('Resource id of the workspace that sign-ins are logged to.')
param workspaceId string

@description('Endpoint of Durable Task Scheduler; empty where the engine is on Azure Storage.')
param schedulerEndpoint string

@description('Task hub there; empty where the engine is on Azure Storage.')
param schedulerHub string

@description('Resource id of the responder\'s identity.')
param identityId string

@description('Client id of the responder\'s identity.')
param identityClientId string

@description('Resource id of the identity for sign-in.')
param signInIdentityId string

@description('Client id of the identity for sign-in.')
param signInIdentityClientId string

@description('Client id of the application that is signed in to.')
param signInClientId string

@description('Settings of the responder: COUNTERSIGN_….')
param settings object

var scheduled = !empty(schedulerEndpoint)
// host.json has the engine on Azure Storage; these say otherwise.
var engine = scheduled ? {
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identityClientId}'
  AzureFunctionsJobHost__extensions__durableTask__hubName: schedulerHub
  AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'azureManaged'
  AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
} : {}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-countersign-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: false
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-countersign-${token}'
  location: location
  kind: 'functionapp,linux'
  tags: union(tags, {
    'azd-service-name': 'responder'
  })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
      '${signInIdentityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packages
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstances
        instanceMemoryMB: instanceMemory
        alwaysReady: alwaysReady == 0 ? [] : [
          {
            name: 'durable'
            instanceCount: alwaysReady
          }
        ]
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
    }
  }
}

// All settings are here, since this replaces whatever else there was.
resource configured 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'appsettings'
  properties: union(settings, engine, {
    AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
    AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
    AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    AZURE_CLIENT_ID: identityClientId
    AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: signInIdentityClientId
    WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
    COUNTERSIGN_URL: 'https://${site.properties.defaultHostName}'
  })
}

// Event Grid comes with a key of its own, and signs in nowhere. WEBSITE_AUTH_ENABLED, by which the app knows that this
// is on, is for the platform to set, and never a setting of ours.
resource signIn 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'authsettingsV2'
  dependsOn: [
    configured
  ]
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: [
        '/runtime/webhooks/eventgrid'
      ]
    }
    httpSettings: {
      requireHttps: true
      routes: {
        apiPrefix: '/.auth'
      }
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          clientId: signInClientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
        }
        validation: {
          allowedAudiences: [
            signInClientId
          ]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

// Code is deployed by people with a role, never with a password.
resource noPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for door in ['scm', 'ftp']: {
  parent: site
  name: door
  properties: {
    allow: false
  }
}]

resource logged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'countersign'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AppServiceAuthenticationLogs'
        enabled: true
      }
    ]
  }
}

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'
