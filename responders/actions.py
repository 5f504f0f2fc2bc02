"""Every action there is, in the order in which they are listed everywhere."""

from responders import defender, directory, notify, owners, related, survival
from responders.action import Action
from responders.errors import Permanent
from responders.guests.remove import Remove as RemoveGuest
from responders.investigation import machines, reach, sources
from responders.managed_identities.remove_federated_credentials import (
    RemoveFederatedCredentials as RemoveIdentitysFederatedCredentials,
)
from responders.service_principals.delete import Delete as DeleteServicePrincipal
from responders.service_principals.disable import Disable as DisableServicePrincipal
from responders.service_principals.enable import Enable as EnableServicePrincipal
from responders.service_principals.remove_certificates import RemoveCertificates
from responders.service_principals.remove_federated_credentials import RemoveFederatedCredentials
from responders.service_principals.remove_grants import RemoveGrants
from responders.service_principals.remove_secrets import RemoveSecrets
from responders.subscriptions.cancel_role_requests import CancelRoleRequests
from responders.subscriptions.delete_resources import DeleteResources
from responders.subscriptions.detach_identities import DetachIdentities
from responders.subscriptions.move_back import MoveBack
from responders.subscriptions.purge_automation_assets import PurgeAutomationAssets
from responders.subscriptions.remove_automation_assets import RemoveAutomationAssets
from responders.subscriptions.remove_delegations import RemoveDelegations
from responders.subscriptions.remove_eligible_roles import RemoveEligibleRoles
from responders.subscriptions.remove_group_members import RemoveGroupMembers
from responders.subscriptions.remove_role_definitions import RemoveRoleDefinitions
from responders.subscriptions.remove_runbooks import RemoveRunbooks
from responders.subscriptions.remove_webhooks import RemoveWebhooks
from responders.subscriptions.restore_definitions import RestoreDefinitions
from responders.subscriptions.restore_guards import RestoreGuards
from responders.subscriptions.restore_runbooks import RestoreRunbooks
from responders.subscriptions.restore_settings import RestoreSettings
from responders.subscriptions.revoke_disk_access import RevokeDiskAccess
from responders.subscriptions.rotate_keys import RotateKeys
from responders.subscriptions.stop_jobs import StopJobs
from responders.subscriptions.strip_inherited_assignments import StripInheritedAssignments
from responders.subscriptions.strip_role_assignments import StripRoleAssignments
from responders.users.confirm_compromised import ConfirmCompromised
from responders.users.delete import Delete as DeleteUser
from responders.users.disable import Disable as DisableUser
from responders.users.enable import Enable as EnableUser
from responders.users.remove_app_role_assignments import RemoveAppRoleAssignments
from responders.users.remove_authentication_methods import RemoveAuthenticationMethods
from responders.users.remove_group_memberships import RemoveGroupMemberships
from responders.users.remove_phones_and_emails import RemovePhonesAndEmails
from responders.users.reset_password import ResetPassword
from responders.users.revoke_oauth_grants import RevokeOauthGrants
from responders.users.revoke_sessions import RevokeSessions
from responders.users.strip_directory_roles import StripDirectoryRoles
from responders.vms.capture_evidence import CaptureEvidence
from responders.vms.deallocate import Deallocate
from responders.vms.isolate import Isolate
from responders.vms.list_accounts import ListAccounts
from responders.vms.reimage import Reimage
from responders.vms.reimage_in_place import ReimageInPlace
from responders.vms.release import Release
from responders.vms.remove_extensions import RemoveExtensions
from responders.vms.remove_run_commands import RemoveRunCommands
from responders.vms.remove_shareable_links import RemoveShareableLinks
from responders.vms.reset_passwords import ResetPasswords
from responders.vms.retain_backups import RetainBackups
from responders.vms.scan import Scan

ACTIONS: tuple[Action, ...] = (
    RevokeSessions(),
    DisableUser(),
    ConfirmCompromised(),
    StripDirectoryRoles(),
    RemoveGroupMemberships(),
    RemoveAppRoleAssignments(),
    RevokeOauthGrants(),
    RemovePhonesAndEmails(),
    RemoveAuthenticationMethods(),
    ResetPassword(),
    DeleteUser(),
    EnableUser(),
    RemoveGuest(),
    DisableServicePrincipal(),
    RemoveFederatedCredentials(),
    RemoveCertificates(),
    RemoveSecrets(),
    RemoveGrants(),
    DeleteServicePrincipal(),
    RemoveIdentitysFederatedCredentials(),
    EnableServicePrincipal(),
    RemoveEligibleRoles(),
    CancelRoleRequests(),
    StripRoleAssignments(),
    StripInheritedAssignments(),
    RemoveGroupMembers(),
    RemoveRoleDefinitions(),
    RemoveDelegations(),
    MoveBack(),
    RemoveRunbooks(),
    RemoveWebhooks(),
    RestoreRunbooks(),
    StopJobs(),
    RemoveAutomationAssets(),
    PurgeAutomationAssets(),
    DetachIdentities(),
    DeleteResources(),
    RestoreGuards(),
    RestoreSettings(),
    RestoreDefinitions(),
    RevokeDiskAccess(),
    RotateKeys(),
    Isolate(),
    Deallocate(),
    RemoveShareableLinks(),
    CaptureEvidence(),
    RetainBackups(),
    Scan(),
    RemoveRunCommands(),
    RemoveExtensions(),
    Reimage(),
    ReimageInPlace(),
    ListAccounts(),
    ResetPasswords(),
    Release(),
)

# What the responder does besides actions: reads and labels alerts, reads the Activity Log, finds and asks owners.
BASE_PERMISSIONS = (
    *defender.PERMISSIONS,
    *sources.PERMISSIONS,
    *reach.PERMISSIONS,
    *machines.PERMISSIONS,
    *owners.PERMISSIONS,
    *directory.PERMISSIONS,
    *related.PERMISSIONS,
    *notify.PERMISSIONS,
    *survival.PERMISSIONS,
)


def action(id_: str) -> Action:
    """The action of that id. Raises Permanent for an id that no action has."""
    for one in ACTIONS:
        if one.id == id_:
            return one
    raise Permanent(f"There is no action {id_!r}. The actions are: {', '.join(a.id for a in ACTIONS)}.")


def permissions() -> tuple[str, ...]:
    """All that the responder's identity must be allowed, sorted: RBAC actions, and Graph application permissions."""
    return tuple(sorted({*BASE_PERMISSIONS, *(p for one in ACTIONS for p in one.permissions)}))
