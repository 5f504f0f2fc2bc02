"""Builds whole directory objects from the properties that a client gave."""

from datetime import datetime
from typing import Any

from sandbox.azure.directory import (
    APPLICATION,
    GROUP,
    METHOD_COLLECTIONS,
    SERVICE_PRINCIPAL,
    UNIT,
    USER,
    Directory,
    iso,
)
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]

# What the log's resultReason calls a method.
METHOD_NAMES = {
    "phoneMethods": "phone method",
    "microsoftAuthenticatorMethods": "Authenticator App with Notification and Code",
    "fido2Methods": "Fido2 Authentication Method",
    "softwareOathMethods": "Authenticator App with Code",
    "temporaryAccessPassMethods": "temporary access pass method",
    "emailMethods": "email method",
    "windowsHelloForBusinessMethods": "Windows Hello for Business Authentication Method",
    "platformCredentialMethods": "platform credential method",
}


def new_user(body: Json, at: datetime) -> Json:
    """Build a whole user from the properties that a client gave."""
    user: Json = {
        "@odata.type": USER,
        "businessPhones": [],
        "displayName": None,
        "givenName": None,
        "jobTitle": None,
        "mail": None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": None,
        "id": None,
        "accountEnabled": True,
        "createdDateTime": iso(at),
        "creationType": None,
        "department": None,
        "externalUserState": None,
        "lastPasswordChangeDateTime": iso(at),
        "mailNickname": None,
        "onPremisesSyncEnabled": None,
        "signInSessionsValidFromDateTime": iso(at),
        "userType": "Member",
    }
    return user | body


def new_group(body: Json, at: datetime) -> Json:
    """Build a whole security group from the properties that a client gave."""
    group: Json = {
        "@odata.type": GROUP,
        "id": None,
        "createdDateTime": iso(at),
        "description": None,
        "displayName": None,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mail": None,
        "mailEnabled": False,
        "mailNickname": "",
        "membershipRule": None,
        "onPremisesSyncEnabled": None,
        "securityEnabled": True,
        "visibility": None,
    }
    return group | body


def new_application(body: Json, at: datetime) -> Json:
    """Build a whole application from the properties that a client gave."""
    application: Json = {
        "@odata.type": APPLICATION,
        "id": None,
        "api": {},
        "appId": None,
        "appRoles": [],
        "createdDateTime": iso(at),
        "displayName": None,
        "identifierUris": [],
        "keyCredentials": [],
        "passwordCredentials": [],
        "requiredResourceAccess": [],
        "signInAudience": "AzureADMyOrg",
        "tags": [],
        "uniqueName": None,
        "web": {},
    }
    return application | body


def new_service_principal(body: Json, at: datetime) -> Json:
    """Build a whole service principal from the properties that a client gave."""
    principal: Json = {
        "@odata.type": SERVICE_PRINCIPAL,
        "id": None,
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": body.get("displayName"),
        "appId": None,
        "appOwnerOrganizationId": None,
        "appRoleAssignmentRequired": False,
        "appRoles": [],
        "createdDateTime": iso(at),
        "displayName": None,
        "keyCredentials": [],
        "oauth2PermissionScopes": [],
        "passwordCredentials": [],
        "servicePrincipalNames": [body.get("appId")],
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
        "tags": [],
    }
    return principal | body


def new_managed_identity(directory: Directory, resource: str, at: datetime, name: str = "") -> Json:
    """Add the service principal of a managed identity: each time another one, as when a machine is made anew."""
    body = {
        "id": directory.new_id("managed identity", resource),
        "appId": directory.new_id("managed identity", resource, "app"),
        "displayName": name or resource.rpartition("/")[2],
        "alternativeNames": ["isExplicit=False", resource],
        "servicePrincipalType": "ManagedIdentity",
    }
    return directory.put(new_service_principal(body, at))


def add_secret(directory: Directory, entry: Json, text: str, at: datetime, name: str | None = None) -> Json:
    """Give an application or service principal a client secret. Returns its passwordCredential without the text."""
    key = directory.new_id("secret", entry["id"])
    credential = {"displayName": name, "endDateTime": iso(at.replace(year=at.year + 2, day=1)), "hint": text[:3]}
    credential |= {"keyId": key, "startDateTime": iso(at)}
    directory.put({**entry, "passwordCredentials": [*entry["passwordCredentials"], credential]})
    directory.private.setdefault(entry["id"], {}).setdefault("secrets", {})[key] = text
    return credential


def new_unit(body: Json) -> Json:
    """Build a whole administrative unit from the properties that a client gave."""
    unit: Json = {
        "@odata.type": UNIT,
        "id": None,
        "deletedDateTime": None,
        "description": None,
        "displayName": None,
        "isMemberManagementRestricted": False,
        "visibility": None,
    }
    return unit | body


def new_eligibility(directory: Directory, principal: str, role: str, scope: str, at: datetime) -> Json:
    """Let somebody activate a directory role (by its template id) for good: adds a unifiedRoleEligibilitySchedule."""
    id_ = made_up_id("eligible", principal, role, scope)
    expiration = {"type": "noExpiration", "endDateTime": None, "duration": None}
    schedule = {
        "id": id_,
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": scope,
        "appScopeId": None,
        "createdUsing": id_,
        "createdDateTime": iso(at),
        "modifiedDateTime": None,
        "status": "Provisioned",
        "memberType": "Direct",
        "scheduleInfo": {"startDateTime": iso(at), "recurrence": None, "expiration": expiration},
    }
    return directory.eligible.setdefault(id_, schedule)


def new_risk(user: Json, level: str, at: datetime, *, state: str = "atRisk", detail: str = "none") -> Json:
    """Build a riskyUser."""
    return {
        "id": user["id"],
        "isDeleted": False,
        "isProcessing": False,
        "riskLastUpdatedDateTime": iso(at),
        "riskLevel": level,
        "riskState": state,
        "riskDetail": detail,
        "userDisplayName": user["displayName"],
        "userPrincipalName": user["userPrincipalName"],
    }


def new_audit(activity: str, at: datetime, by: Json, targets: list[Json], **more: str) -> Json:
    """Build a directoryAudit. `by` is initiatedBy; `more` has at least id, category and operationType."""
    entry = {
        "id": "",
        "category": "",
        "correlationId": more["id"],
        "result": "success",
        "resultReason": "",
        "activityDisplayName": activity,
        "activityDateTime": iso(at),
        "loggedByService": "Core Directory",
        "operationType": "",
        "initiatedBy": by,
        "targetResources": targets,
        "additionalDetails": [],
    }
    return entry | more


def method_name(method: Json) -> str:
    """What the audit log calls an authentication method."""
    return METHOD_NAMES[METHOD_COLLECTIONS[method["@odata.type"]]]
