"""A subscription in which an intruder was."""

from playbooks.step import Step

STEPS = (
    # Whoever may activate a role comes back however often it is taken from him.
    Step("subscriptions.remove_eligible_roles", "one"),
    # Irreversible, but all that is lost is a request.
    Step("subscriptions.cancel_role_requests", "one"),
    Step("subscriptions.strip_role_assignments", "one"),
    # It ends in every subscription beneath.
    Step("subscriptions.strip_inherited_assignments", "two"),
    Step("subscriptions.remove_group_members", "one"),
    # When nobody holds them any more.
    Step("subscriptions.remove_role_definitions", "one"),
    # It locks out all of another tenant.
    Step("subscriptions.remove_delegations", "two"),
    # Before all that looks for things by their names.
    Step("subscriptions.move_back", "two"),
    Step("subscriptions.remove_runbooks", "one"),
    Step("subscriptions.remove_webhooks", "one"),
    Step("subscriptions.restore_runbooks", "one"),
    # Irreversible, but all that is lost is a run; and after what would start another one.
    Step("subscriptions.stop_jobs", "one"),
    Step("subscriptions.remove_automation_assets", "one"),
    Step("subscriptions.purge_automation_assets", "two"),
    Step("subscriptions.detach_identities", "one"),
    # Whoever has the address of an export reads on without any right; a disk that is exported can't be deleted.
    Step("subscriptions.revoke_disk_access", "two"),
    # Data on what is deleted does not come back.
    Step("subscriptions.delete_resources", "two"),
    # After the deletes: locks that come back would only be in their way.
    Step("subscriptions.restore_guards", "one"),
    Step("subscriptions.restore_settings", "one"),
    # Anything may be written by it; and after those that know a type better.
    Step("subscriptions.restore_definitions", "two"),
    Step("subscriptions.rotate_keys", "two"),
)
