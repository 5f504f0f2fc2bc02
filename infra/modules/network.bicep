// Where the app calls out from, with private endpoints of all that it keeps things in.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Address ranges: {network, app, endpoints}.')
param ranges object

@description('Resource id of the storage account of the host.')
param storageId string

@description('Resource id of the storage account of the evidence.')
param evidenceId string

@description('Resource id of the Key Vault.')
param vaultId string

@description('Name of the private DNS zone for vaults in this cloud.')
param vaultZone string

resource guard 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-countersign-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-from-internet'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-countersign-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        ranges.network
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: ranges.app
          networkSecurityGroup: {
            id: guard.id
          }
          delegations: [
            {
              name: 'app'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: ranges.endpoints
          networkSecurityGroup: {
            id: guard.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

module endpoints 'endpoints.bicep' = {
  name: 'endpoints'
  params: {
    token: token
    location: location
    tags: tags
    networkId: network.id
    subnetId: '${network.id}/subnets/endpoints'
    storageId: storageId
    evidenceId: evidenceId
    vaultId: vaultId
    vaultZone: vaultZone
  }
}

output appSubnetId string = '${network.id}/subnets/app'
