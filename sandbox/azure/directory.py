"""The Entra tenant: who exists, who belongs to what, who may do what in Graph, and who has been stopped.

Objects are kept in Microsoft Graph's own shape with "@odata.type". What no API ever gives back lies in `private`.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sandbox.azure.well_known import DIRECTORY_ROLES, GRAPH_APP_ID, GRAPH_PERMISSIONS, ROLE_NAMES, made_up_id

Json = dict[str, Any]

USER, GROUP = "#microsoft.graph.user", "#microsoft.graph.group"
APPLICATION, SERVICE_PRINCIPAL = "#microsoft.graph.application", "#microsoft.graph.servicePrincipal"
UNIT = "#microsoft.graph.administrativeUnit"
COLLECTIONS = {
    USER: "users",
    GROUP: "groups",
    APPLICATION: "applications",
    SERVICE_PRINCIPAL: "servicePrincipals",
    UNIT: "administrativeUnits",
}
_METHODS = ("phone", "microsoftAuthenticator", "fido2", "softwareOath", "temporaryAccessPass", "email")
METHOD_COLLECTIONS = {
    f"#microsoft.graph.{kind}AuthenticationMethod": f"{kind}Methods"
    for kind in (*_METHODS, "windowsHelloForBusiness", "platformCredential")
}
_PRINCIPAL_TYPES = {USER: "User", GROUP: "Group", SERVICE_PRINCIPAL: "ServicePrincipal"}
_GRAPH = {
    "@odata.type": SERVICE_PRINCIPAL,
    "id": made_up_id("Microsoft Graph"),
    "accountEnabled": True,
    "appDisplayName": "Microsoft Graph",
    "appId": GRAPH_APP_ID,
    "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    "appRoles": [
        {"id": i, "value": v, "displayName": v, "isEnabled": True, "allowedMemberTypes": ["Application"]}
        for v, i in GRAPH_PERMISSIONS.items()
    ],
    "displayName": "Microsoft Graph",
    "servicePrincipalNames": [GRAPH_APP_ID, "https://graph.microsoft.com"],
    "servicePrincipalType": "Application",
}


def iso(at: datetime) -> str:
    """A moment as Graph writes it: "2026-01-31T09:30:00Z"."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Directory:
    """One tenant. All of its state is plain JSON: `dump` and `restore` carry it over a restart."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant.lower()
        self.objects: dict[str, Json] = {}  # by object id
        self.deleted: dict[str, Json] = {}  # soft-deleted, by object id
        # By object id: {"password", "must_change", "revocations", "passes": {method id: text}} of a user,
        # {"secrets": {keyId: text}} of an application.
        self.private: dict[str, Json] = {}
        # Edges outlive a soft delete of either end, and so are there again after a restore.
        self.members: dict[str, list[str]] = {}  # group id -> object ids; written by `set_members` alone
        self.owners: dict[str, list[str]] = {}  # group, application or principal id -> object ids
        self.role_assignments: dict[str, Json] = {}  # directory roles, as unifiedRoleAssignment, by id
        self.eligible: dict[str, Json] = {}  # roles one may activate, as unifiedRoleEligibilitySchedule, by id
        self.activated: dict[str, Json] = {}  # by id of the role assignment: {"using": eligible id, "from", "until"}
        self.role_requests: list[Json] = []  # what was asked of PIM: a record, no part of a snapshot
        self.units: dict[str, list[str]] = {}  # administrative unit id -> object ids
        self.managers: dict[str, str] = {}  # user id -> user id
        self.licenses: list[str] = []  # "P1", "P2"
        self.risky: dict[str, Json] = {}  # riskyUser, by user id
        self.sign_ins: list[Json] = []  # signIn, in order: a record, no part of a snapshot
        self.app_roles: dict[str, Json] = {}  # appRoleAssignment, by id
        self.consents: dict[str, Json] = {}  # oauth2PermissionGrant, by id
        self.federated: dict[str, list[Json]] = {}  # application id -> federatedIdentityCredential
        self.methods: dict[str, list[Json]] = {}  # user id -> authenticationMethod
        self.foreign: dict[
            str, Json
        ] = {}  # people of other tenants who call (Lighthouse): this directory knows none of them
        self.audits: list[Json] = []  # directoryAudit, in order: a record, no part of a snapshot
        self.audits_lag = 0  # seconds; so old is an entry when it first shows
        self.audits_refused = False  # as to some tenants without a license
        self.serial = 0
        self._index: dict[str, str] = {}
        self._parents: dict[str, list[str]] | None = None  # object id -> groups: made anew after a change of members
        self._stale: dict[str, tuple[Json, int]] = {}
        self.put(_GRAPH)

    # -- reading ---------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Json | None:
        """Look up a live object by object id, user principal name or, for a service principal, appId."""
        return self.objects.get(self._index.get(key.lower(), ""))

    def anyone(self, key: str) -> Json | None:
        """Like `find`, callers from other tenants included."""
        return self.find(key) or next((f for f in self.foreign.values() if key.lower() in _keys(f)), None)

    def of_type(self, kind: str) -> list[Json]:
        """List live objects of a type, in order of creation."""
        return [o for o in self.objects.values() if o["@odata.type"] == kind]

    def application(self, app_id: str) -> Json | None:
        """The application object of an appId."""
        return next((a for a in self.of_type(APPLICATION) if a["appId"] == app_id.lower()), None)

    def groups_of(self, oid: str) -> set[str]:
        """Every live group that an object is in, directly or through groups."""
        if self._parents is None:
            self._parents = defaultdict(list)
            for group, members in self.members.items():
                for member in members:
                    self._parents[member].append(group)
        found: set[str] = set()
        todo = [oid]
        while todo:
            for group in self._parents.get(todo.pop(), ()):
                if group not in found and group in self.objects:
                    found.add(group)
                    todo.append(group)
        return found

    def roles_of(self, oid: str, scope: str = "/") -> set[str]:
        """Names of the directory roles that a principal holds at a scope, also through role-assignable groups."""
        holders = {oid, *self.groups_of(oid)}
        found = (a for a in self.role_assignments.values() if a["principalId"] in holders)
        held = (a for a in found if a["directoryScopeId"] == scope)
        return {str(ROLE_NAMES.get(a["roleDefinitionId"], a["roleDefinitionId"])) for a in held}

    def app_roles_of(self, oid: str, app_id: str) -> set[str]:
        """Values of the app roles that a principal holds of an application; of Graph's, its application permissions."""
        resource = self.find(app_id)
        if resource is None:
            return set()
        values: dict[str, str] = {role["id"]: role["value"] for role in resource["appRoles"]}
        holders = {oid, *self.groups_of(oid)}
        mine = (a for a in self.app_roles.values() if a["principalId"] in holders and a["resourceId"] == resource["id"])
        return {values[a["appRoleId"]] for a in mine if a["appRoleId"] in values}

    def usable(self, claims: Json) -> str | None:
        """Say why a token no longer works, or None.

        As continuous access evaluation has it: a deleted or disabled account at once, and sessions revoked after the
        token was issued. That is counted (claim x_revocations), not timed, since the sandbox's clock may stand still.
        A caller from another tenant is that tenant's to stop.
        """
        if claims.get("tid", self.tenant) != self.tenant:
            return None
        oid = str(claims.get("oid", ""))
        holder = self.objects.get(oid)
        if holder is None:
            return "the principal does not exist in the directory"
        if not holder.get("accountEnabled", True):
            return "the account is disabled"
        if claims.get("x_revocations", 0) < self.private.get(oid, {}).get("revocations", 0):
            return "its sessions were revoked after the token was issued"
        return None

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(self, entry: Json) -> Json:
        """Add or replace an object."""
        for key in _keys(self.objects.get(entry["id"], {})):
            self._index.pop(key, None)
        self.objects[entry["id"]] = entry
        self._index.update(dict.fromkeys(_keys(entry), str(entry["id"])))
        return entry

    def delete(self, oid: str, at: datetime) -> None:
        """Soft-delete, as Entra does for users, groups, applications and service principals."""
        self.deleted[oid] = {**self._forget(oid), "deletedDateTime": iso(at)}

    def purge(self, oid: str) -> None:
        """Delete for good: what was soft-deleted, or never can be (a managed identity goes with its resource)."""
        self._forget(oid)
        self.deleted.pop(oid, None)

    def undelete(self, oid: str) -> Json:
        """Bring a soft-deleted object back, with its id, memberships and roles."""
        entry = self.deleted.pop(oid)
        return self.put({k: v for k, v in entry.items() if k != "deletedDateTime"})

    def set_members(self, group: str, members: list[str]) -> None:
        """Replace the direct members of a group."""
        self.members[group] = members
        self._parents = None

    def revoke_sessions(self, oid: str, at: datetime) -> None:
        """Make every token and refresh token issued so far worthless."""
        private = self.private.setdefault(oid, {})
        private["revocations"] = private.get("revocations", 0) + 1
        self.put({**self.objects[oid], "signInSessionsValidFromDateTime": iso(at)})

    def new_id(self, *seed: str) -> str:
        """A GUID that was never given before, and is the same whenever the same things happen in the same order."""
        self.serial += 1
        return made_up_id(*seed, str(self.serial))

    def assign_role(self, principal: str, role: str, assignment: str = "", scope: str = "/") -> Json:
        """Give a directory role, by its name or template id, over the whole tenant or an administrative unit."""
        template = DIRECTORY_ROLES.get(role, role)
        assignment = assignment or made_up_id("directory role", principal, template, scope)
        body = {"id": assignment, "principalId": principal, "roleDefinitionId": template, "directoryScopeId": scope}
        return self.role_assignments.setdefault(assignment, body)

    def units_of(self, oid: str) -> list[Json]:
        """The administrative units that an object is in."""
        return [self.objects[unit] for unit, held in self.units.items() if oid in held and unit in self.objects]

    def assign_app_role(self, principal: str, resource: str, app_role: str, at: datetime) -> Json:
        """Give an app role (by its id) of the service principal `resource` to a user, group or service principal."""
        entry, owner = self.objects[principal], self.objects[resource]
        body = {
            "id": made_up_id("app role", principal, resource, app_role),
            "deletedDateTime": None,
            "appRoleId": app_role,
            "createdDateTime": iso(at),
            "principalDisplayName": entry["displayName"],
            "principalId": principal,
            "principalType": _PRINCIPAL_TYPES[entry["@odata.type"]],
            "resourceDisplayName": owner["displayName"],
            "resourceId": resource,
        }
        return self.app_roles.setdefault(body["id"], body)

    def grant_graph(self, principal: str, permission: str, at: datetime) -> Json:
        """Give a principal an application permission of Microsoft Graph, by its name."""
        graph = self.find(GRAPH_APP_ID)
        if graph is None:
            raise LookupError("This tenant has no Microsoft Graph.")
        role = next((r["id"] for r in graph["appRoles"] if r["value"] == permission), None)
        if role is None:
            raise LookupError(f"Microsoft Graph has no application permission {permission!r}.")
        return self.assign_app_role(principal, graph["id"], role, at)

    # -- lagging ---------------------------------------------------------------------------------------------------

    def remember(self, before: Json, reads: int) -> None:
        """Let the next `reads` reads show an object as it was before a write."""
        self._stale[before["id"]] = before, reads

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """While one read is answered: what was remembered stands in for what is."""
        if not self._stale:
            yield
            return
        true = self.objects, self._index
        self.objects = {**self.objects, **{oid: old for oid, (old, _) in self._stale.items()}}
        self._index = {**self._index, **{k: oid for oid, (old, _) in self._stale.items() for k in _keys(old)}}
        try:
            yield
        finally:
            self.objects, self._index = true
            self._stale = {oid: (old, n - 1) for oid, (old, n) in self._stale.items() if n > 1}

    # -- whole -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Json]:
        """Every object, credential, membership, role and grant by its Graph path: see directory_snapshot.py."""
        from sandbox.azure.directory_snapshot import snapshot

        return snapshot(self)

    def dump(self) -> Json:
        """All state as plain JSON."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def restore(cls, state: Json) -> "Directory":
        """The inverse of `dump`."""
        directory = cls(state["tenant"])
        vars(directory).update(state)
        for entry in directory.objects.values():
            directory._index.update(dict.fromkeys(_keys(entry), str(entry["id"])))
        return directory

    def _forget(self, oid: str) -> Json:
        entry = self.objects.pop(oid, {})
        for key in _keys(entry):
            self._index.pop(key, None)
        return entry


def _keys(entry: Json) -> set[str]:
    names = {entry.get("id"), entry.get("userPrincipalName")}
    if entry.get("@odata.type") == SERVICE_PRINCIPAL:
        names.add(entry["appId"])
    return {name.lower() for name in names if name}
