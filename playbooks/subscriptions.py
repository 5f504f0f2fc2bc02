"""A subscription in which an intruder was."""

from playbooks.step import Step

STEPS = (
    Step("subscriptions.strip_role_assignments", "one"),
    Step("subscriptions.remove_runbooks", "one"),
)
