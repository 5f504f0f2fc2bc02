// In Entra ID: the application that people and the Logic App sign in to, who of ours may what there, and the Graph
// permissions of the responder. Deployed twice: before main.bicep, which needs the application's client id, and after it,
// with the identities that it made. infra/consent.sh does the same with the Azure CLI alone.
targetScope = 'subscription'

extension microsoftGraphV1

@description('Name of the deployment, as in main.bicep.')
param environmentName string

@description('Where people reach the API: the output COUNTERSIGN_URL of main.bicep. Empty the first time.')
param url string = ''

@description('Object id of the responder: the output COUNTERSIGN_PRINCIPAL_ID. Empty the first time.')
param principalId string = ''

@description('Object id of the Logic App\'s identity: the output COUNTERSIGN_SENDER_PRINCIPAL_ID. Empty the first time.')
param senderPrincipalId string = ''

@description('Object id of the identity for sign-in: the output COUNTERSIGN_SIGN_IN_PRINCIPAL_ID. Empty the first time.')
param signInPrincipalId string = ''

@description('Groups of Graph permissions that the responder gets: those of graph-permissions.json.')
param groups array = [
  'reader'
  'responder'
  'destroyer'
]

var clouds = loadJsonContent('clouds.json')
var cloudName = environment().name
var registration = loadJsonContent('application.json')
var permissions = loadJsonContent('graph-permissions.json')
var reader = contains(groups, 'reader') ? permissions.reader : []
var responder = contains(groups, 'responder') ? permissions.responder : []
var destroyer = contains(groups, 'destroyer') ? permissions.destroyer : []
var wanted = empty(principalId) ? [] : concat(reader, responder, destroyer)

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: 'countersign-${environmentName}'
  displayName: 'Countersign (${environmentName})'
  signInAudience: 'AzureADMyOrg'
  appRoles: registration.appRoles
  api: registration.api
  web: {
    redirectUris: empty(url) ? [] : [
      '${url}/.auth/login/aad/callback'
    ]
    implicitGrantSettings: {
      enableIdTokenIssuance: true
    }
  }
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
  appRoleAssignmentRequired: true
}

resource proof 'Microsoft.Graph/applications/federatedIdentityCredentials@v1.0' = if (!empty(signInPrincipalId)) {
  name: '${application.uniqueName}/sign-in'
  audiences: [
    clouds[cloudName].tokenExchange
  ]
  issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
  subject: signInPrincipalId
}

resource sends 'Microsoft.Graph/appRoleAssignedTo@v1.0' = if (!empty(senderPrincipalId)) {
  principalId: senderPrincipalId
  resourceId: principal.id
  appRoleId: registration.sender
}

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: '00000003-0000-0000-c000-000000000000'
}

resource grants 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [for permission in wanted: {
  principalId: principalId
  resourceId: graph.id
  appRoleId: permission.id
}]

@description('Client id of the application: the parameter signInClientId of main.bicep.')
output COUNTERSIGN_SIGN_IN_CLIENT_ID string = application.appId
