"""Who may do what in Microsoft Graph: by permissions, which applications hold, or by directory roles."""

from typing import NamedTuple

from sandbox.azure.directory import Directory
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Call
from sandbox.azure.well_known import LESSER_ROLES


class Access(NamedTuple):
    """What a call takes: any one of the permissions (of an application), or any one of the directory roles."""

    permissions: str  # separated by blanks
    roles: tuple[str, ...] = ()  # besides Global Administrator
    members: bool = False  # every member of the tenant may, without a role
    own: bool = False  # a person for himself, and for applications and groups that he owns


_DIRECTORY = " Directory.Read.All Directory.ReadWrite.All"
_ROLES = " RoleManagement.ReadWrite.Directory"
_READ_ROLES = " RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory"
_ELIGIBLE = " RoleEligibilitySchedule.ReadWrite.Directory" + _READ_ROLES
_ACTIVE = " RoleAssignmentSchedule.ReadWrite.Directory" + _READ_ROLES
_APPS = ("Application Administrator", "Cloud Application Administrator", "Hybrid Identity Administrator")
_METHODS = ("Authentication Administrator", "Privileged Authentication Administrator")
_PASSWORDS = ("User Administrator", "Helpdesk Administrator", *_METHODS)

_READERS = {"Directory Readers", "Global Reader"}  # see what every member of the tenant sees

# The names stand in the routes. Permissions are those of the Graph reference, the least one first.
ACCESS = {
    "users.read": Access("User.Read.All User.ReadWrite.All" + _DIRECTORY, _PASSWORDS, members=True, own=True),
    "users.write": Access("User.ReadWrite.All Directory.ReadWrite.All", ("User Administrator",)),
    "users.enable": Access("User.EnableDisableAccount.All User.ReadWrite.All", ("User Administrator",)),
    "users.password": Access("User-PasswordProfile.ReadWrite.All", _PASSWORDS),
    "users.revoke": Access("User.RevokeSessions.All", _PASSWORDS, own=True),
    "users.delete": Access("User.DeleteRestore.All User.ReadWrite.All", ("User Administrator",)),
    "users.mail": Access("Mail.Send", ("nobody sends as another",), own=True),
    "users.invite": Access("User.Invite.All User.ReadWrite.All", ("User Administrator", "Guest Inviter"), members=True),
    "methods.read": Access(
        "UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All", _METHODS, own=True
    ),
    "methods.write": Access("UserAuthenticationMethod.ReadWrite.All", _METHODS, own=True),
    "directory.read": Access("Directory.Read.All Directory.ReadWrite.All", members=True, own=True),
    "groups.read": Access("GroupMember.Read.All Group.Read.All Group.ReadWrite.All" + _DIRECTORY, members=True),
    "groups.write": Access(
        "Group.ReadWrite.All Directory.ReadWrite.All", ("Groups Administrator", "User Administrator")
    ),
    "groups.members": Access(
        "GroupMember.ReadWrite.All Group.ReadWrite.All Directory.ReadWrite.All",
        ("Groups Administrator", "User Administrator"),
        own=True,
    ),
    "apps.read": Access("Application.Read.All Application.ReadWrite.All" + _DIRECTORY, members=True),
    "apps.create": Access("Application.ReadWrite.All", _APPS, members=True),
    "apps.write": Access("Application.ReadWrite.All", _APPS, own=True),
    "app_roles.write": Access("AppRoleAssignment.ReadWrite.All", ("Privileged Role Administrator",)),
    "consents.read": Access(
        "Directory.Read.All Directory.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All", members=True
    ),
    "consents.write": Access("DelegatedPermissionGrant.ReadWrite.All", _APPS),
    "roles.read": Access("RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory" + _DIRECTORY, members=True),
    "roles.write": Access("RoleManagement.ReadWrite.Directory", ("Privileged Role Administrator",)),
    "eligible.read": Access("RoleEligibilitySchedule.Read.Directory" + _ELIGIBLE, members=True),
    "eligible.write": Access(
        "RoleEligibilitySchedule.ReadWrite.Directory" + _ROLES, ("Privileged Role Administrator",)
    ),
    "eligible.remove": Access(
        "RoleEligibilitySchedule.Remove.Directory RoleEligibilitySchedule.ReadWrite.Directory" + _ROLES,
        ("Privileged Role Administrator",),
    ),
    "active.read": Access("RoleAssignmentSchedule.Read.Directory" + _ACTIVE, members=True),
    "active.write": Access("RoleAssignmentSchedule.ReadWrite.Directory" + _ROLES, ("Privileged Role Administrator",)),
    "active.remove": Access(
        "RoleAssignmentSchedule.Remove.Directory RoleAssignmentSchedule.ReadWrite.Directory" + _ROLES,
        ("Privileged Role Administrator",),
    ),
    "units.read": Access("AdministrativeUnit.Read.All AdministrativeUnit.ReadWrite.All" + _DIRECTORY, members=True),
    "units.write": Access("AdministrativeUnit.ReadWrite.All", ("Privileged Role Administrator",)),
    "risk.read": Access(
        "IdentityRiskyUser.Read.All IdentityRiskyUser.ReadWrite.All", ("Security Reader", "Security Administrator")
    ),
    "risk.write": Access("IdentityRiskyUser.ReadWrite.All", ("Security Administrator",)),
    "organization.read": Access("Organization.Read.All" + _DIRECTORY, members=True),
    "audits.read": Access(
        "AuditLog.Read.All", ("Security Reader", "Security Administrator", "Global Reader", "Reports Reader")
    ),
}


_RESTRICTED = (
    "Insufficient privileges to complete the operation. Target object is a member of a restricted management "
    "administrative unit and can only be modified by administrators scoped to that administrative unit. Check that you "
    "are assigned a role that has permission to perform the operation for this restricted management administrative "
    "unit. Learn more: https://go.microsoft.com/fwlink/?linkid=2197831"
)


def denied(why: str = "Insufficient privileges to complete the operation.") -> ApiError:
    """403, in Graph's words."""
    return ApiError(403, "Authorization_RequestDenied", why)


def holds(call: Call, permission: str) -> bool:
    """Whether the caller is an application with this permission in its token."""
    return call.caller.kind != "User" and bool(permission in call.caller.claims.get("roles", ()))


def allow(call: Call, name: str, target: str = "") -> None:
    """Check the caller against ACCESS[name]. `target` is the object id it is about.

    Raises ApiError 403. A delegated token's scopes aren't looked at: people come with tools that have
    Directory.AccessAsUser.All.
    """
    access, directory, oid = ACCESS[name], call.world.directory, call.caller.oid
    wanted = {"Global Administrator", *access.roles} if name != "users.mail" else set()
    if access.members:
        wanted |= _READERS
    if call.caller.kind != "User":
        permitted = not access.permissions or any(holds(call, p) for p in access.permissions.split())
        if not permitted and not directory.roles_of(oid) & wanted:
            raise denied()
        return
    own = access.own and (oid == target or oid in directory.owners.get(target, ()))
    member = access.members and directory.objects[oid]["userType"] == "Member"
    if not (own or member or directory.roles_of(oid) & wanted):
        raise denied()


def above(call: Call, target: str) -> None:
    """Check that the caller may act on the account of somebody who holds directory roles.

    Disabling, deleting and resetting such a person takes a directory role of the caller, for an application too: a
    Graph permission alone is not enough. User Administrators reach the lesser roles, Privileged Authentication
    Administrators and Global Administrators all. Raises ApiError 403.
    """
    directory = call.world.directory
    roles = directory.roles_of(target)
    if not roles and not _in_privileged_group(directory, target):
        return
    mine = directory.roles_of(call.caller.oid)
    if mine & {"Global Administrator", "Privileged Authentication Administrator"}:
        return
    lesser = roles <= LESSER_ROLES and not _in_privileged_group(directory, target)
    if not (lesser and mine & {"User Administrator", "Authentication Administrator"}):
        raise denied()


def unrestricted(call: Call, target: str) -> None:
    """Check that no restricted management administrative unit keeps the caller off.

    Its members are changed only by those who hold a role over this very unit: no permission and no role over the tenant
    will do, Global Administrator included. Raises ApiError 403.
    """
    for unit in call.world.directory.units_of(target):
        scope = f"/administrativeUnits/{unit['id']}"
        if unit["isMemberManagementRestricted"] and not call.world.directory.roles_of(call.caller.oid, scope):
            raise denied(_RESTRICTED)


def _in_privileged_group(directory: Directory, oid: str) -> bool:
    return any(bool(directory.objects[g]["isAssignableToRole"]) for g in directory.groups_of(oid))
