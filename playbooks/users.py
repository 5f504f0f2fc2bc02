"""A user, or a guest, held to be compromised."""

from playbooks.step import Step

STEPS = (
    Step("users.disable", "one", contains=True),
    # Irreversible, but all that is lost is a session; and after blocking sign-in, so that no new one begins.
    Step("users.revoke_sessions", "one"),
    # What was given to him in the window; each of it by itself comes back with an undo.
    Step("users.strip_directory_roles", "one"),
    Step("users.remove_group_memberships", "one"),
    Step("users.remove_app_role_assignments", "one"),
    Step("users.revoke_oauth_grants", "one"),
)
