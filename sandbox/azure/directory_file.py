"""Reads the people, applications and groups of a world file into a directory."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from sandbox.azure.directory import GROUP, METHOD_COLLECTIONS, USER, Directory
from sandbox.azure.directory_new import (
    add_secret,
    method_name,
    new_application,
    new_audit,
    new_eligibility,
    new_group,
    new_risk,
    new_service_principal,
    new_unit,
    new_user,
)
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
    # Authentication methods in Graph's shape; the first that is a second factor is the default one. `registered` (a
    # moment) and `from` (an address) aren't Graph's: they say that the user registered it then, for the audit log.
    methods: list[dict[str, Any]] = []
    manager: str = ""  # upn or object id
    eligible_roles: list[str] = []  # directory roles that one may activate
    risk: Literal["", "low", "medium", "high"] = ""  # what Identity Protection says; shown where there is P2


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


class UnitEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An administrative unit. Members as in a group."""

    name: str
    id: str = ""
    members: list[str] = []
    restricted: bool = False  # only those who hold a role over this very unit may change its members
    hidden: bool = False  # who is in it is shown to its members alone, and to Member.Read.Hidden
    administrators: dict[str, str] = {}  # directory role over this unit -> upn, appId or object id


class Section(msgspec.Struct, kw_only=True):
    """The part of a world file that is the directory's."""

    licenses: list[Literal["P1", "P2"]] = []
    administrative_units: list[UnitEntry] = []

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
    for user in section.users:
        if user.manager:
            directory.managers[_id(directory, user.upn)] = _id(directory, user.manager)
    for unit in section.administrative_units:
        _load_unit(directory, unit)
    directory.licenses = sorted({*directory.licenses, *section.licenses})


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
        directory.methods[oid] = [_load_method(directory, oid, user.upn, method) for method in user.methods]
    for role in user.eligible_roles:
        new_eligibility(directory, oid, _role(role), "/", user.created or now)
    if user.risk:
        directory.risky[oid] = new_risk(directory.objects[oid], user.risk, user.created or now)
    _load_roles(directory, oid, user, now)


def _load_method(directory: Directory, oid: str, upn: str, method: Json) -> Json:
    body = {k: v for k, v in method.items() if k not in {"registered", "from"}}
    kind = str(body.get("@odata.type"))
    if kind not in METHOD_COLLECTIONS:
        raise LookupError(f"No authentication method {kind!r}. Known: {', '.join(METHOD_COLLECTIONS)}.")
    body.setdefault("id", made_up_id("method", oid, kind))
    if at := method.get("registered"):
        user = {"id": oid, "displayName": None, "userPrincipalName": upn, "ipAddress": method.get("from", "")}
        whom = {"id": oid, "displayName": None, "type": "User", "userPrincipalName": upn}
        audit = new_audit(
            "User registered security info",
            datetime.fromisoformat(str(at)),
            {"user": user, "app": None},
            [{**whom, "groupType": None, "modifiedProperties": []}],
            id=f"AuthMethods_{made_up_id('audit', oid, body['id'])}",
            category="UserManagement",
            operationType="Add",
            loggedByService="Authentication Methods",
            resultReason=f"User registered {method_name(body)}",
        )
        directory.audits.append(audit)
    return body


def _load_unit(directory: Directory, unit: UnitEntry) -> None:
    body: Json = {"id": unit.id.lower() or made_up_id("administrative unit", unit.name), "displayName": unit.name}
    body |= {"isMemberManagementRestricted": unit.restricted, "visibility": "HiddenMembership" if unit.hidden else None}
    entry = directory.put(new_unit(body))
    directory.units[entry["id"]] = [_id(directory, key) for key in unit.members]
    for role, who in unit.administrators.items():
        directory.assign_role(_id(directory, who), _role(role), scope=f"/administrativeUnits/{entry['id']}")


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
        add_secret(directory, holder, entry.secret, at, "in-use")
    for permission in entry.graph_permissions:
        directory.grant_graph(principal["id"], permission, at)
    _load_roles(directory, oid, entry, now)


def _load_roles(directory: Directory, oid: str, entry: Entry, now: datetime) -> None:
    for role in entry.directory_roles:
        directory.assign_role(oid, _role(role))
    for role in entry.app_roles:
        if role not in APP_ROLES:
            raise LookupError(f"{APP_NAME} has no app role {role!r}. Known: {', '.join(APP_ROLES)}.")
        app = directory.find(made_up_id("app", APP_NAME)) or _load_app(directory, now)
        directory.assign_app_role(oid, app["id"], made_up_id("app role", role), entry.created or now)


def _role(name: str) -> str:
    if name not in DIRECTORY_ROLES:
        raise LookupError(f"No directory role {name!r}. Known: {', '.join(DIRECTORY_ROLES)}.")
    return DIRECTORY_ROLES[name]


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
