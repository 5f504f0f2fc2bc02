"""A user held to be compromised."""

from playbooks.step import Step

STEPS = (
    Step("users.disable", "one", contains=True),
    # Irreversible, but all that is lost is a session; and after blocking sign-in, so that no new one begins.
    Step("users.revoke_sessions", "one"),
    Step("users.confirm_compromised", "one"),
    # What was given to him in the window; each of it by itself comes back with an undo.
    Step("users.strip_directory_roles", "one"),
    # Again, for one whom only an administrator could disable while he had those roles.
    Step("users.disable", "one"),
    Step("users.remove_group_memberships", "one"),
    Step("users.remove_app_role_assignments", "one"),
    Step("users.revoke_oauth_grants", "one"),
    # Before the others, of which one may be the default: Graph gives that up last.
    Step("users.remove_phones_and_emails", "one"),
    Step("users.remove_authentication_methods", "one"),
    # Again, for a phone that was the default; and for another that turned out to be it.
    Step("users.remove_phones_and_emails", "one"),
    Step("users.remove_authentication_methods", "one"),
    # Of one that is kept. The thief knows the old one; the new one waits in the Key Vault.
    Step("users.reset_password", "two"),
    # Of one that an intruder made.
    Step("users.delete", "two"),
    # Again, since tokens may have been made until all of that was done.
    Step("users.revoke_sessions", "one"),
    # Last, and by itself: it goes back to its owner.
    Step("users.enable", "one", last=True),
)
