// Private endpoints of storage (blob, queue and table: Durable Functions needs all three), evidence and Key Vault.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the network.')
param networkId string

@description('Resource id of the subnet for endpoints.')
param subnetId string

@description('Resource id of the storage account of the host.')
param storageId string

@description('Resource id of the storage account of the evidence.')
param evidenceId string

@description('Resource id of the Key Vault.')
param vaultId string

@description('Name of the private DNS zone for vaults in this cloud.')
param vaultZone string

var suffix = environment().suffixes.storage
var zones = [
  'privatelink.blob.${suffix}'
  'privatelink.queue.${suffix}'
  'privatelink.table.${suffix}'
  vaultZone
]
var doors = [
  {
    name: 'blob'
    target: storageId
    group: 'blob'
    zone: 0
  }
  {
    name: 'queue'
    target: storageId
    group: 'queue'
    zone: 1
  }
  {
    name: 'table'
    target: storageId
    group: 'table'
    zone: 2
  }
  {
    name: 'evidence'
    target: evidenceId
    group: 'blob'
    zone: 0
  }
  {
    name: 'vault'
    target: vaultId
    group: 'vault'
    zone: 3
  }
]

resource names 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in zones: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, n) in zones: {
  parent: names[n]
  name: 'countersign-${token}'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for door in doors: {
  name: 'pe-countersign-${door.name}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: door.name
        properties: {
          privateLinkServiceId: door.target
          groupIds: [
            door.group
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (door, n) in doors: {
  parent: endpoints[n]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: door.group
        properties: {
          privateDnsZoneId: names[door.zone].id
        }
      }
    ]
  }
}]
