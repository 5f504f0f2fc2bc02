#!/bin/sh
# What has to be done in Entra ID, with the Azure CLI alone: the other way is graph.bicep. Each command can be repeated.
# Whoever runs it needs Privileged Role Administrator, or Application.ReadWrite.All and AppRoleAssignment.ReadWrite.All.
set -eu

usage() {
  cat <<'USAGE'
consent.sh register NAME            make the application that people and the Logic App sign in to; prints its client id
consent.sh grant NAME [GROUP…]      after main.bicep: let the app sign in, the Logic App send, and the responder use Graph
                                    with the permissions of these groups (reader responder destroyer: all by default)
consent.sh role NAME ROLE WHO       give an app role: Approver, Owner or Reader; WHO is a user principal name, or the object
                                    id of a user or a group, whose own members then have it (those of groups in it have not)
consent.sh revoke NAME [GROUP…]     take the Graph permissions of these groups from the responder (all by default)
consent.sh remove NAME              delete the application, for good

NAME is that of the deployment (environmentName in main.bicep). grant and revoke read what main.bicep put out from the
environment: COUNTERSIGN_URL, COUNTERSIGN_PRINCIPAL_ID, COUNTERSIGN_SENDER_PRINCIPAL_ID, COUNTERSIGN_SIGN_IN_PRINCIPAL_ID.
USAGE
}

here=$(cd "$(dirname "$0")" && pwd)
groups="reader responder destroyer"
graph_app=00000003-0000-0000-c000-000000000000

fail() {
  echo "consent.sh: $*" >&2
  exit 1
}

# A call to Graph: METHOD PATH [BODY].
call() {
  if [ $# -gt 2 ]; then
    az rest --only-show-errors --method "$1" --url "$graph/v1.0/$2" --headers Content-Type=application/json --body "$3"
  else
    az rest --only-show-errors --method "$1" --url "$graph/v1.0/$2"
  fi
}

# The application of that deployment, as JSON; nothing where there is none. It is found by its uniqueName, which nobody
# else can take: others may have one of the same display name.
application() {
  if ! found=$(call GET "applications(uniqueName='countersign-$1')?\$select=id,appId" 2>&1); then
    case "$found" in
    *ResourceNotFound*) return ;;
    *) fail "$found" ;;
    esac
  fi
  echo "$found" | jq -c '{id, appId}'
}

# The object id of the service principal of an application, by its client id.
principal() {
  call GET "servicePrincipals?\$filter=appId%20eq%20'$1'&\$select=id" | jq -r '.value[0].id // empty'
}

# Give an app role, unless it is held: PRINCIPAL RESOURCE ROLE.
give() {
  held=$(call GET "servicePrincipals/$2/appRoleAssignedTo?\$top=999" |
    jq -r --arg who "$1" --arg role "$3" '[.value[] | select(.principalId == $who and .appRoleId == $role)] | length')
  if [ "$held" = 0 ]; then
    body=$(jq -nc --arg who "$1" --arg what "$2" --arg role "$3" '{principalId: $who, resourceId: $what, appRoleId: $role}')
    call POST "servicePrincipals/$2/appRoleAssignedTo" "$body" >/dev/null
  fi
}

# The ids of the Graph permissions of groups.
permissions() {
  for group in "$@"; do
    jq -er --arg group "$group" '.[$group] // error("there is no group \($group)") | .[].id' "$here/graph-permissions.json"
  done
}

register() {
  found=$(application "$1")
  body=$(jq -c --arg name "$1" '{displayName: "Countersign (\($name))", signInAudience: "AzureADMyOrg", appRoles, api}' \
    "$here/application.json")
  if [ -z "$found" ]; then
    body=$(echo "$body" | jq -c --arg name "$1" '. + {uniqueName: "countersign-\($name)"}')
    found=$(call POST applications "$body")
  else
    call PATCH "applications/$(echo "$found" | jq -r .id)" "$body" >/dev/null
  fi
  client=$(echo "$found" | jq -r .appId)
  # It takes the directory a moment to know an application that was just made.
  tries=0
  while [ -z "$(principal "$client")" ]; do
    body=$(jq -nc --arg id "$client" '{appId: $id, appRoleAssignmentRequired: true}')
    if ! said=$(call POST servicePrincipals "$body" 2>&1); then
      tries=$((tries + 1))
      [ "$tries" -lt 6 ] || fail "$said"
      sleep 5
    fi
  done
  echo "$client"
}

grant() {
  name=$1
  shift
  found=$(application "$name")
  [ -n "$found" ] || fail "there is no application of $name: consent.sh register $name"
  id=$(echo "$found" | jq -r .id)
  own=$(principal "$(echo "$found" | jq -r .appId)")
  web=$(jq -nc --arg url "$COUNTERSIGN_URL" \
    '{web: {redirectUris: ["\($url)/.auth/login/aad/callback"], implicitGrantSettings: {enableIdTokenIssuance: true}}}')
  call PATCH "applications/$id" "$web" >/dev/null
  proven=$(call GET "applications/$id/federatedIdentityCredentials" | jq -r '[.value[] | select(.name == "sign-in")] | length')
  if [ "$proven" = 0 ]; then
    issuer="$login/$(az account show --query tenantId --output tsv)/v2.0"
    audience=$(jq -er --arg cloud "$(az cloud show --query name --output tsv)" '.[$cloud].tokenExchange' "$here/clouds.json")
    body=$(jq -nc --arg issuer "$issuer" --arg who "$COUNTERSIGN_SIGN_IN_PRINCIPAL_ID" --arg audience "$audience" \
      '{name: "sign-in", issuer: $issuer, subject: $who, audiences: [$audience]}')
    call POST "applications/$id/federatedIdentityCredentials" "$body" >/dev/null
  fi
  give "$COUNTERSIGN_SENDER_PRINCIPAL_ID" "$own" "$(jq -r .sender "$here/application.json")"
  of_graph=$(principal "$graph_app")
  ids=$(permissions "$@")
  for permission in $ids; do
    give "$COUNTERSIGN_PRINCIPAL_ID" "$of_graph" "$permission"
  done
}

role() {
  found=$(application "$1")
  [ -n "$found" ] || fail "there is no application of $1: consent.sh register $1"
  which=$(jq -er --arg role "$2" '.appRoles[] | select(.value == $role) | .id' "$here/application.json") ||
    fail "there is no role $2: Approver, Owner or Reader"
  who=$3
  case "$who" in
  *@*) who=$(call GET "users/$(jq -rn --arg user "$who" '$user | @uri')?\$select=id" | jq -r .id) ;;
  esac
  give "$who" "$(principal "$(echo "$found" | jq -r .appId)")" "$which"
}

revoke() {
  shift
  ids=$(permissions "$@")
  held=$(call GET "servicePrincipals/$COUNTERSIGN_PRINCIPAL_ID/appRoleAssignments?\$top=999")
  for permission in $ids; do
    for assignment in $(echo "$held" | jq -r --arg role "$permission" '.value[] | select(.appRoleId == $role) | .id'); do
      call DELETE "servicePrincipals/$COUNTERSIGN_PRINCIPAL_ID/appRoleAssignments/$assignment" >/dev/null
    done
  done
}

remove() {
  found=$(application "$1")
  [ -n "$found" ] || return 0
  id=$(echo "$found" | jq -r .id)
  call DELETE "applications/$id" >/dev/null
  # Where it can be brought back, its name is taken for 30 days: register could not make it anew.
  call DELETE "directory/deletedItems/$id" >/dev/null ||
    echo "consent.sh: to use the name $1 again: az rest --method DELETE --url $graph/v1.0/directory/deletedItems/$id" >&2
}

command=${1:-}
case "$command-$#" in
register-2 | remove-2 | role-4) ;;
grant-2 | revoke-2)
  # shellcheck disable=SC2086  # one word a group
  set -- "$1" "$2" $groups
  ;;
grant-[3-9] | revoke-[3-9]) ;;
*)
  usage >&2
  exit 2
  ;;
esac
case "$2" in
*[!A-Za-z0-9-]* | "") fail "a deployment's name is of A-Z a-z 0-9 and -" ;;
esac
for tool in az jq; do
  command -v "$tool" >/dev/null || fail "$tool is not here: install it first"
done
graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
graph=${graph%/}
login=$(az cloud show --query endpoints.activeDirectory --output tsv)
login=${login%/}
shift
"$command" "$@"
