"""A subscription in which an intruder was."""

from playbooks.step import Step

STEPS = (
    Step("subscriptions.strip_role_assignments", "one"),
    # It locks out all of another tenant.
    Step("subscriptions.remove_delegations", "two"),
    Step("subscriptions.remove_runbooks", "one"),
)
