// How alerts come in: the Logic App hands them to the function, and leaves with Event Grid what it can't hand over.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the identity that the Logic App calls with.')
param senderId string

@description('Object id of that identity.')
param senderPrincipalId string

@description('URL that takes alerts.')
param functionUrl string

@description('Whom tokens for the function are for.')
param audience string

@description('Whom tokens for Event Grid are for.')
param topicAudience string

@description('Name of the storage account for dead letters.')
param storageName string

@description('Container of the dead letters.')
param deadLetters string

@description('Resource id of the workspace that runs and failures are logged to.')
param workspaceId string

module topic 'topic.bicep' = {
  name: 'topic'
  params: {
    token: token
    location: location
    tags: tags
    storageName: storageName
    deadLetters: deadLetters
    senderPrincipalId: senderPrincipalId
    workspaceId: workspaceId
  }
}

module workflow 'workflow.bicep' = {
  name: 'workflow'
  params: {
    token: token
    location: location
    tags: tags
    identityId: senderId
    functionUrl: functionUrl
    audience: audience
    topicUrl: topic.outputs.url
    topicAudience: topicAudience
    workspaceId: workspaceId
  }
}

output workflowId string = workflow.outputs.id
output topicId string = topic.outputs.id
output topicName string = topic.outputs.name
