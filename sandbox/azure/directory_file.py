"""Reads the people, applications and groups of a world file into a directory."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from sandbox.azure.directory import APPLICATION, GROUP, SERVICE_PRINCIPAL, USER, Directory, iso
from sandbox.azure.well_known import DIRECTORY_ROLES, made_up_id

Json = dict[str, Any]

APP_NAME = "Countersign"
APP_ROLES = ("Approver", "Owner", "Reader", "Sender")


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What all entries share. Ids that are left out are derived from names, and so stay the same."""

    id: str = ""
    created: datetime | None = None  # default: now
    directory_roles: list[str] = []
    app_roles: list[str] = []  # of the application Countersign


class UserEntry(Entry, kw_only=True):
    """A user. One with another `tenant` is no object of this directory: somebody who calls from there."""

    upn: str
    name: str = ""
    mail: str | None = None  # default: the upn; of a guest, None unless given
    password: str = ""
    type: Literal["Member", "Guest"] = "Member"
    enabled: bool = True
    synced: bool = False  # from an on-premises directory
    tenant: str = ""
    department: str | None = None
    title: str | None = None
    methods: list[dict[str, Any]] = []  # authentication methods, in Graph's shape


class ServicePrincipalEntry(Entry, kw_only=True):
    """An application with its service principal, or a managed identity."""

    name: str
    app_id: str = msgspec.field(default="", name="appId")
    secret: str = ""
    kind: Literal["application", "managed_identity"] = "application"
    enabled: bool = True
    graph_permissions: list[str] = []
    owners: list[str] = []  # upn or object id
    home: str = ""  # tenant that owns the application, when it is another: then there is no application object
    resource: str = ""  # ARM id behind a managed identity


class GroupEntry(Entry, kw_only=True):
    """A group. Members and owners by upn, object id, appId or name of a group."""

    name: str
    description: str | None = None
    members: list[str] = []
    owners: list[str] = []
    role_assignable: bool = False


class Section(msgspec.Struct, kw_only=True):
    """The part of a world file that is the directory's."""

    users: list[UserEntry] = []
    service_principals: list[ServicePrincipalEntry] = []
    groups: list[GroupEntry] = []


def load(directory: Directory, data: Json, now: datetime) -> None:
    """Add the entries of a world file.

    Raises msgspec.ValidationError or LookupError naming what is wrong.
    """
    section = msgspec.convert(data, Section, strict=False)
    for user in section.users:
        _load_user(directory, user, now)
    for principal in section.service_principals:
        _load_service_principal(directory, principal, now)
    for group in section.groups:  # all of them before any member: they nest
        oid = group.id.lower() or made_up_id("group", group.name)
        body: Json = {"displayName": group.name, "description": group.description, "id": oid}
        body |= {"isAssignableToRole": group.role_assignable or None}
        directory.put(new_group(body, group.created or now))
    for group in section.groups:
        oid = group.id.lower() or made_up_id("group", group.name)
        directory.set_members(oid, [_id(directory, key) for key in group.members])
        directory.owners[oid] = [_id(directory, key) for key in group.owners]
        _load_roles(directory, oid, group, now)


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


def _load_user(directory: Directory, user: UserEntry, now: datetime) -> None:
    oid = user.id.lower() or made_up_id("user", user.upn)
    if user.tenant and user.tenant.lower() != directory.tenant:
        names = {"@odata.type": USER, "id": oid, "userPrincipalName": user.upn, "displayName": user.name or user.upn}
        directory.foreign[oid] = {**names, "tenant": user.tenant.lower(), "accountEnabled": True, "userType": "Member"}
        return
    guest = user.type == "Guest"
    body = {
        "id": oid,
        "accountEnabled": user.enabled,
        "creationType": "Invitation" if guest else None,
        "department": user.department,
        "displayName": user.name or user.upn.partition("@")[0],
        "externalUserState": "Accepted" if guest else None,
        "jobTitle": user.title,
        "mail": user.mail or (None if guest else user.upn),
        "mailNickname": user.upn.partition("@")[0],
        "onPremisesSyncEnabled": user.synced or None,
        "userPrincipalName": user.upn,
        "userType": user.type,
    }
    directory.put(new_user(body, user.created or now))
    if user.password:
        directory.private[oid] = {"password": user.password}
    if user.methods:
        directory.methods[oid] = user.methods
    _load_roles(directory, oid, user, now)


def _load_service_principal(directory: Directory, entry: ServicePrincipalEntry, now: datetime) -> None:
    at = entry.created or now
    managed = entry.kind == "managed_identity"
    app_id = entry.app_id.lower() or made_up_id("app", entry.name)
    oid = entry.id.lower() or made_up_id("service principal", app_id)
    body = {
        "id": oid,
        "accountEnabled": entry.enabled,
        "alternativeNames": ["isExplicit=True", entry.resource] if entry.resource else [],
        "appId": app_id,
        "appOwnerOrganizationId": None if managed else entry.home.lower() or directory.tenant,
        "displayName": entry.name,
        "servicePrincipalType": "ManagedIdentity" if managed else "Application",
    }
    holder = principal = directory.put(new_service_principal(body, at))
    directory.owners[oid] = owners = [_id(directory, key) for key in entry.owners]
    if not managed and not entry.home:
        body = {"id": made_up_id("application", app_id), "appId": app_id, "displayName": entry.name}
        holder = directory.put(new_application(body, at))
        directory.owners[holder["id"]] = list(owners)
    if entry.secret:
        add_secret(directory, holder, entry.secret, at)
    for permission in entry.graph_permissions:
        directory.grant_graph(principal["id"], permission, at)
    _load_roles(directory, oid, entry, now)


def _load_roles(directory: Directory, oid: str, entry: Entry, now: datetime) -> None:
    for role in entry.directory_roles:
        if role not in DIRECTORY_ROLES:
            raise LookupError(f"No directory role {role!r}. Known: {', '.join(DIRECTORY_ROLES)}.")
        directory.assign_role(oid, role)
    for role in entry.app_roles:
        if role not in APP_ROLES:
            raise LookupError(f"{APP_NAME} has no app role {role!r}. Known: {', '.join(APP_ROLES)}.")
        app = directory.find(made_up_id("app", APP_NAME)) or _load_app(directory, now)
        directory.assign_app_role(oid, app["id"], made_up_id("app role", role), entry.created or now)


def _load_app(directory: Directory, now: datetime) -> Json:
    app_id = made_up_id("app", APP_NAME)
    roles = [
        {
            "id": made_up_id("app role", r),
            "value": r,
            "displayName": r,
            "isEnabled": True,
            "allowedMemberTypes": ["User"],
        }
        for r in APP_ROLES
    ]
    body = {"id": made_up_id("service principal", app_id), "appId": app_id, "displayName": APP_NAME, "appRoles": roles}
    return directory.put(new_service_principal(body | {"appOwnerOrganizationId": directory.tenant}, now))


def _id(directory: Directory, key: str) -> str:
    entry = directory.find(key) or next((g for g in directory.of_type(GROUP) if g["displayName"] == key), None)
    if entry is None:
        raise LookupError(f"The world file names {key!r}, which is no user, service principal or group in it.")
    return str(entry["id"])
