"""What a world file says: the Azure that an exercise starts from. Every field's description is its documentation."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from sandbox.azure.directory_file import GroupEntry, ServicePrincipalEntry, UnitEntry, UserEntry

Json = dict[str, Any]
METHODS = ("put", "patch", "post", "delete", "get")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything in a file."""


class Call(Part, frozen=True, kw_only=True):
    """One public REST call that somebody makes: exactly one of put, patch, post, delete and get."""

    at: Annotated[timedelta, Meta(description="When, as an ISO 8601 duration before now: -P20D, -PT40M.")]
    by: Annotated[str, Meta(description="Who: user principal name, display name, appId or object id.")] = field(
        name="as"
    )
    ip: Annotated[str, Meta(description="The address the call comes from.")] = "203.0.113.10"
    agent: Annotated[str, Meta(description="The User-Agent header.")] = ""
    put: Annotated[str, Meta(description="What to PUT: a path of Resource Manager, `graph:/…`, or a full URL.")] = ""
    patch: Annotated[str, Meta(description="What to PATCH.")] = ""
    post: Annotated[str, Meta(description="What to POST to.")] = ""
    delete: Annotated[str, Meta(description="What to DELETE.")] = ""
    get: Annotated[str, Meta(description="What to GET.")] = ""
    body: Annotated[Any, Meta(description="JSON to send; a string goes as plain text (a runbook's script).")] = None
    status: Annotated[int, Meta(description="The status it must be answered with. Left out: any 2xx.")] = 0

    def __post_init__(self) -> None:
        given = [name for name in METHODS if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"a call has exactly one of {', '.join(METHODS)}; this has {' and '.join(given) or 'none'}"
            )
        if self.at > timedelta():
            raise ValueError("`at` lies in the future; calls are made before now, e.g. -PT40M")

    @property
    def method(self) -> str:
        return next(name for name in METHODS if getattr(self, name))

    @property
    def target(self) -> str:
        return str(getattr(self, self.method))


class ManagementGroup(Part, frozen=True, kw_only=True):
    """A management group."""

    name: Annotated[str, Meta(description="Its name.")]
    parent: Annotated[str, Meta(description="Name of the one above it.")] = ""


class Subscription(Part, frozen=True, kw_only=True):
    """A subscription."""

    id: Annotated[str, Meta(description="A GUID.")]
    name: Annotated[str, Meta(description="Display name.")]
    tenant: Annotated[str, Meta(description="Its tenant, when it isn't the world's.")] = ""
    management_group: Annotated[str, Meta(description="Name of the one that it is in.")] = ""
    tags: Annotated[dict[str, str], Meta(description="Tags, e.g. `owner: <user principal name>`.")] = {}


class ResourceGroup(Part, frozen=True, kw_only=True):
    """A resource group."""

    id: Annotated[str, Meta(description="ARM id.")]
    location: Annotated[str, Meta(description="Region.")]
    tags: Annotated[dict[str, str], Meta(description="Tags.")] = {}


class RoleDefinition(Part, frozen=True, kw_only=True):
    """A custom role."""

    name: Annotated[str, Meta(description="Its name, by which role assignments refer to it.")]
    scopes: Annotated[tuple[str, ...], Meta(description="Where it can be assigned: ARM ids.")]
    id: Annotated[str, Meta(description="A GUID. Left out: one made from the name.")] = ""
    description: Annotated[str, Meta(description="What it is for.")] = ""
    actions: Annotated[tuple[str, ...], Meta(description="What it allows.")] = ()
    not_actions: Annotated[tuple[str, ...], Meta(description="What of that it doesn't allow.")] = ()
    data_actions: Annotated[tuple[str, ...], Meta(description="What it allows inside resources.")] = ()
    not_data_actions: Annotated[tuple[str, ...], Meta(description="What of that it doesn't allow.")] = ()
    created: Annotated[datetime | None, Meta(description="When. Left out: long ago.")] = None
    created_by: Annotated[str, Meta(description="Who made it. Left out: nobody known.")] = ""


class RoleAssignment(Part, frozen=True, kw_only=True):
    """Who holds which role where."""

    scope: Annotated[str, Meta(description="ARM id of a subscription, group or resource; / for the root.")]
    role: Annotated[str, Meta(description="A built-in or custom role by its name or its GUID.")]
    principal: Annotated[str, Meta(description="User principal name, appId, object id, or a group's name.")]
    name: Annotated[str, Meta(description="The assignment's GUID. Left out: made from the other three.")] = ""
    condition: Annotated[str, Meta(description="Condition, version 2.0.")] = ""
    description: Annotated[str, Meta(description="Description.")] = ""
    created: Annotated[datetime | None, Meta(description="When. Left out: long ago.")] = None
    created_by: Annotated[str, Meta(description="Who gave it. Left out: nobody known.")] = ""


class Lock(Part, frozen=True, kw_only=True):
    """A management lock."""

    scope: Annotated[str, Meta(description="ARM id of what is locked.")]
    name: Annotated[str, Meta(description="Its name.")]
    level: Annotated[Literal["CanNotDelete", "ReadOnly"], Meta(description="What it forbids.")]
    notes: Annotated[str, Meta(description="Why.")] = ""


class MachineUser(Part, frozen=True, kw_only=True):
    """A local user of a machine."""

    name: Annotated[str, Meta(description="Its name.")]
    password: Annotated[str, Meta(description="Its password, of which the machine has a hash. Left out: none.")] = ""
    keys: Annotated[tuple[str, ...], Meta(description="SSH public keys: lines of authorized_keys.")] = ()
    groups: Annotated[tuple[str, ...], Meta(description="Its groups: sudo, or Administrators.")] = ()
    shell: Annotated[str, Meta(description="Its shell, in Linux. Left out: /bin/bash.")] = ""
    enabled: Annotated[bool, Meta(description="Whether it can be used.")] = True


class Machine(Part, frozen=True, kw_only=True):
    """What is inside a virtual machine, or an instance of a scale set, that is among the resources.

    The administrator of its osProfile is in it anyway. Malware is a file with COUNTERSIGN-SANDBOX-MALWARE in it.
    """

    id: Annotated[str, Meta(description="Its ARM id.")]
    users: Annotated[tuple[MachineUser, ...], Meta(description="Its local users.")] = ()
    files: Annotated[dict[str, str], Meta(description="Files: path and text.")] = {}
    services: Annotated[dict[str, str], Meta(description="Services that run: name and command.")] = {}
    tasks: Annotated[dict[str, str], Meta(description="Scheduled tasks, in Windows: path and command.")] = {}
    registry: Annotated[
        dict[str, dict[str, str]], Meta(description="Registry, in Windows: key, values and their data.")
    ] = {}
    scanner: Annotated[
        Literal["", "none", "clamav", "mdatp", "defender"],
        Meta(description="Its antimalware scanner. Left out: none in Linux, defender in Windows."),
    ] = ""
    scan_seconds: Annotated[int, Meta(description="How long a full scan takes.", ge=0)] = 0
    agent: Annotated[Literal["ready", "not ready"], Meta(description="Whether its agent reports in.")] = "ready"
    domain: Annotated[str, Meta(description="The domain that it is joined to.")] = ""


class Responder(Part, frozen=True, kw_only=True):
    """Where the responder is deployed.

    Its identity is added to the world with exactly the rights that the actions declare.
    """

    name: Annotated[str, Meta(description="Display name of its managed identity.")]
    subscriptions: Annotated[tuple[str, ...], Meta(description="Those it may act on: GUIDs.")]
    scopes: Annotated[
        tuple[str, ...], Meta(description="Where it has its rights besides: ids of management groups, / for the root.")
    ] = ()
    settings: Annotated[dict[str, str], Meta(description="Other settings of it: COUNTERSIGN_… by name.")] = {}


class Additions(Part, frozen=True, kw_only=True):
    """What can be put into a world. In `extend`, an entry with the id or name of one that is there replaces it."""

    names: Annotated[dict[str, str], Meta(description="Words for long texts: ${word} stands for the text.")] = {}
    management_groups: Annotated[tuple[ManagementGroup, ...], Meta(description="Management groups.")] = ()
    subscriptions: Annotated[tuple[Subscription, ...], Meta(description="Subscriptions.")] = ()
    users: Annotated[tuple[UserEntry, ...], Meta(description="People: upn, name, type, app_roles, …")] = ()
    service_principals: Annotated[
        tuple[ServicePrincipalEntry, ...], Meta(description="Applications and managed identities.")
    ] = ()
    groups: Annotated[tuple[GroupEntry, ...], Meta(description="Groups of people and applications.")] = ()
    administrative_units: Annotated[
        tuple[UnitEntry, ...], Meta(description="Administrative units: restricted or with hidden members, perhaps.")
    ] = ()
    licenses: Annotated[
        tuple[Literal["P1", "P2"], ...],
        Meta(description="Of Entra ID: sign-in logs take P1, Identity Protection takes P2. Left out: none."),
    ] = ()
    resource_groups: Annotated[tuple[ResourceGroup, ...], Meta(description="Resource groups.")] = ()
    resources: Annotated[
        tuple[Json, ...], Meta(description="Resources: the body that a GET answers, with its id.")
    ] = ()
    role_definitions: Annotated[tuple[RoleDefinition, ...], Meta(description="Custom roles.")] = ()
    role_assignments: Annotated[tuple[RoleAssignment, ...], Meta(description="Who may do what.")] = ()
    locks: Annotated[tuple[Lock, ...], Meta(description="Locks.")] = ()
    machines: Annotated[tuple[Machine, ...], Meta(description="What is inside virtual machines.")] = ()


class WorldFile(Additions, frozen=True, kw_only=True):
    """A whole world."""

    title: Annotated[str, Meta(description="What it shows, in a line.")]
    tenant: Annotated[str, Meta(description="Id of the Entra tenant, a GUID.")]
    responder: Annotated[Responder, Meta(description="Where the responder is deployed.")]
    history: Annotated[tuple[Call, ...], Meta(description="What was done in it before any exercise.")] = ()
