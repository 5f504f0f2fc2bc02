// What a deployment of Countersign is, in the subscription of the security team. What it protects is attached with
// protect.bicep or protect-management-group.bicep; what needs the function's code to be there comes with eventgrid.bicep.
targetScope = 'subscription'

@minLength(1)
@maxLength(20)
@description('Name of this deployment; a part of the names of all that it makes.')
param environmentName string

@minLength(1)
@metadata({ azd: { type: 'location' } })
@description('Region of all that is made. It has to offer Flex Consumption: az functionapp list-flexconsumption-locations.')
param location string

@minLength(1)
@description('Subscriptions that the responder may act on: their GUIDs. Alerts of any other are refused.')
param subscriptions array

@minLength(36)
@maxLength(36)
@description('Client id of the application that people and the Logic App sign in to: infra/consent.sh register, or graph.bicep, makes it.')
param signInClientId string

@description('Resource group of the responder.')
param resourceGroupName string = 'rg-countersign-${environmentName}'

@description('Resource group of the evidence. Best never within a protected subscription.')
param evidenceGroupName string = 'rg-countersign-evidence-${environmentName}'

@description('Whom to ask when nothing in Azure says who is the owner: user principal names.')
param owners array = []

@description('Whom to tell that something waits for approval: user principal names. Who may approve is told by the app role Approver.')
param approvers array = []

@description('Never changed, besides the responder itself: object ids, principal names or resource ids (with all beneath).')
param protectedIds array = []

@description('The mailbox that questions are sent from. Empty: no mail.')
param mailFrom string = ''

@secure()
@description('Channels to tell that somebody is asked: Apprise URLs, separated by blanks. Kept in the Key Vault.')
param channels string = ''

@secure()
@description('What signs the links in mails to owners: 32 characters or more. Kept in the Key Vault. A new one by default: links sent before a deployment then end with it.')
param linkKey string = '${newGuid()}${newGuid()}'

@description('More settings of the responder, by name: {"COUNTERSIGN_OWNER_WAIT": "PT15M"}. docs/deploy.md says which there are.')
param settings object = {}

@description('Mail addresses that are told when the responder itself fails. Empty: the alerts are raised in Azure Monitor, and nobody is told.')
param failureMails array = []

@description('Region in which Defender is asked once a day for its sample alerts, to see that alerts still arrive: centralus, for one. Empty: it is not asked.')
param heartbeat string = ''

@description('Log Analytics workspace that the Activity Log of the protected subscriptions is streamed to: "own" for the one that is made here, the resource id of another, or empty for none.')
param activityLog string = ''

@minValue(0)
@maxValue(146000)
@description('Days for which evidence and journal can neither be changed nor deleted. 0 leaves the policy as it is: once it is locked (step 9), Azure lets no deployment write it.')
param evidenceDays int = 365

@minValue(30)
@maxValue(730)
@description('Days for which the responder\'s own logs are kept.')
param logDays int = 90

@allowed(['3.11', '3.12', '3.13'])
@description('Version of Python. The tests run the app in Azure\'s own worker for 3.13.')
param pythonVersion string = '3.13'

@allowed([512, 2048, 4096])
@description('Memory of an instance in MB.')
param instanceMemory int = 2048

@minValue(40)
@maxValue(1000)
@description('Most instances at once.')
param maximumInstances int = 40

@minValue(0)
@maxValue(10)
@description('Instances that are always there for orchestrations. With the engine on Azure Storage one is needed: without, nothing wakes a run that waits.')
param alwaysReady int = 1

@description('Run the engine on Durable Task Scheduler instead of Azure Storage. Runs can not be moved from one to the other.')
param durableTaskScheduler bool = false

@description('Put storage and Key Vault behind private endpoints. The function app itself stays reachable, behind sign-in: Logic Apps (Consumption) and Event Grid can not call it otherwise.')
param privateNetwork bool = false

@description('Address ranges where privateNetwork is on: of the network, and within it of the app and of the private endpoints.')
param addressRanges object = {
  network: '10.90.0.0/24'
  app: '10.90.0.0/26'
  endpoints: '10.90.0.64/26'
}

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('How often storage and evidence are kept: ZRS in three zones of the region, LRS where it has none, GRS and GZRS in a second region too.')
param redundancy string = 'Standard_ZRS'

@description('Lock both resource groups against deletion.')
param locked bool = true

@description('Tags of all that is made.')
param tags object = {}

var clouds = loadJsonContent('clouds.json')
var cloudName = environment().name
var cloud = clouds[cloudName]
var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, {
  'azd-env-name': environmentName
})
var ownWorkspace = activityLog == 'own' || empty(activityLog)
var workspaceHome = split(ownWorkspace ? group.id : activityLog, '/')

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

// Without the tag of azd, which deploys the code to the one group that has it, and fails where two have.
resource evidenceGroup 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: evidenceGroupName
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    days: logDays
    principalId: identities.outputs.responderPrincipalId
  }
}

module workspace 'modules/workspace.bicep' = if (!empty(activityLog)) {
  name: 'workspace-${token}'
  scope: resourceGroup(workspaceHome[2], workspaceHome[4])
  params: {
    name: split(ownWorkspace ? monitoring.outputs.workspaceId : activityLog, '/')[8]
    principalId: identities.outputs.responderPrincipalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    private: privateNetwork
    redundancy: redundancy
    principalId: identities.outputs.responderPrincipalId
  }
}

module evidence 'modules/evidence.bicep' = {
  name: 'evidence'
  scope: evidenceGroup
  params: {
    token: token
    location: location
    tags: allTags
    private: privateNetwork
    redundancy: redundancy
    days: evidenceDays
    workspaceId: monitoring.outputs.workspaceId
    principalId: identities.outputs.responderPrincipalId
    homeGroupId: group.id
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    private: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    principalId: identities.outputs.responderPrincipalId
    linkKey: linkKey
    channels: channels
    hasChannels: !empty(channels)
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    ranges: addressRanges
    storageId: storage.outputs.id
    evidenceId: evidence.outputs.id
    vaultId: vault.outputs.id
    vaultZone: cloud.vaultZone
  }
}

module scheduler 'modules/scheduler.bicep' = if (durableTaskScheduler) {
  name: 'scheduler'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    principalId: identities.outputs.responderPrincipalId
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    pythonVersion: pythonVersion
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    #disable-next-line BCP318
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    storageName: storage.outputs.name
    packages: storage.outputs.packages
    insightsConnection: monitoring.outputs.insightsConnection
    workspaceId: monitoring.outputs.workspaceId
    #disable-next-line BCP318
    schedulerEndpoint: durableTaskScheduler ? scheduler.outputs.endpoint : ''
    #disable-next-line BCP318
    schedulerHub: durableTaskScheduler ? scheduler.outputs.hub : ''
    identityId: identities.outputs.responderId
    identityClientId: identities.outputs.responderClientId
    signInIdentityId: identities.outputs.signInId
    signInIdentityClientId: identities.outputs.signInClientId
    signInClientId: signInClientId
    settings: union(settings, {
      COUNTERSIGN_SUBSCRIPTIONS: join(subscriptions, ',')
      COUNTERSIGN_EVIDENCE: evidence.outputs.container
      COUNTERSIGN_EVIDENCE_GROUP: evidenceGroup.id
      COUNTERSIGN_VAULT: vault.outputs.url
      COUNTERSIGN_VAULT_AUDIENCE: cloud.vault
      COUNTERSIGN_ARM: cloud.arm
      COUNTERSIGN_ARM_AUDIENCE: cloud.arm
      COUNTERSIGN_GRAPH: cloud.graph
      COUNTERSIGN_LOGS: cloud.logs
      #disable-next-line BCP318
      COUNTERSIGN_WORKSPACE: empty(activityLog) ? '' : workspace.outputs.guid
      COUNTERSIGN_OWNERS: join(owners, ',')
      COUNTERSIGN_APPROVERS: join(approvers, ',')
      COUNTERSIGN_PROTECTED: join(concat(identities.outputs.principalIds, [group.id, evidenceGroup.id], protectedIds), ',')
      COUNTERSIGN_MAIL_FROM: mailFrom
      COUNTERSIGN_HEARTBEAT: heartbeat
      COUNTERSIGN_LINK_KEY: vault.outputs.linkKey
      COUNTERSIGN_CHANNELS: vault.outputs.channels
    })
  }
}

module delivery 'modules/delivery.bicep' = {
  name: 'delivery'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    senderId: identities.outputs.senderId
    senderPrincipalId: identities.outputs.senderPrincipalId
    functionUrl: '${app.outputs.url}/api/alerts'
    audience: signInClientId
    topicAudience: cloud.eventGrid
    storageName: storage.outputs.name
    deadLetters: storage.outputs.deadLetters
    workspaceId: monitoring.outputs.workspaceId
  }
}

module failures 'modules/failures.bicep' = {
  name: 'failures'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    mails: failureMails
    workflowId: delivery.outputs.workflowId
    topicId: delivery.outputs.topicId
    insightsId: monitoring.outputs.insightsId
    vaultId: vault.outputs.id
  }
}

module lock 'modules/lock.bicep' = if (locked) {
  name: 'lock'
  scope: group
  dependsOn: [failures]
}

module evidenceLock 'modules/lock.bicep' = if (locked) {
  name: 'evidence-lock'
  scope: evidenceGroup
  dependsOn: [evidence]
}

@description('Where people reach the API.')
output COUNTERSIGN_URL string = app.outputs.url

@description('Name of the function app: what the code is deployed to.')
output COUNTERSIGN_APP string = app.outputs.name

@description('Resource group of the responder.')
output COUNTERSIGN_GROUP string = group.name

@description('Object id of the responder\'s identity: to whom protect.bicep gives roles and graph.bicep Graph permissions.')
output COUNTERSIGN_PRINCIPAL_ID string = identities.outputs.responderPrincipalId

@description('Object id of the Logic App\'s identity: who gets the app role Sender.')
output COUNTERSIGN_SENDER_PRINCIPAL_ID string = identities.outputs.senderPrincipalId

@description('Object id of the identity that proves to Entra ID that a sign-in is the app\'s.')
output COUNTERSIGN_SIGN_IN_PRINCIPAL_ID string = identities.outputs.signInPrincipalId

@description('Resource id of the Logic App: what protect.bicep sends alerts to.')
output COUNTERSIGN_WORKFLOW_ID string = delivery.outputs.workflowId

@description('Resource id of the own workspace: what protect.bicep can stream the Activity Log to.')
output COUNTERSIGN_WORKSPACE_ID string = monitoring.outputs.workspaceId

@description('Name of the Event Grid topic: what eventgrid.bicep subscribes the function to.')
output COUNTERSIGN_TOPIC string = delivery.outputs.topicName

@description('Name of the storage account that dead letters are kept in.')
output COUNTERSIGN_STORAGE string = storage.outputs.name

@description('Storage account of the evidence, with its group: what lock-evidence in docs/deploy.md locks for good.')
output COUNTERSIGN_EVIDENCE_ID string = evidence.outputs.id
