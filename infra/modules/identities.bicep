// Three identities, so that none can do what another is for: the responder acts on Azure, the sender only delivers
// alerts, and sign-in only proves to Entra ID that a sign-in is the app's.
@description('What makes names unique.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

resource responder 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-countersign-responder-${token}'
  location: location
  tags: tags
}

resource sender 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-countersign-sender-${token}'
  location: location
  tags: tags
}

resource signIn 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-countersign-sign-in-${token}'
  location: location
  tags: tags
}

output responderId string = responder.id
output responderClientId string = responder.properties.clientId
output responderPrincipalId string = responder.properties.principalId
output senderId string = sender.id
output senderPrincipalId string = sender.properties.principalId
output signInId string = signIn.id
output signInClientId string = signIn.properties.clientId
output signInPrincipalId string = signIn.properties.principalId
output principalIds array = [
  responder.properties.principalId
  sender.properties.principalId
  signIn.properties.principalId
]
