"""A guest held to be compromised: his account is at home in another tenant, and here he has but what he was given."""

from playbooks.step import Step

STEPS = (
    Step("users.disable", "one", contains=True),
    # Of a guest whose account is here; what his home has of him, only his home can end.
    Step("users.revoke_sessions", "one"),
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
    # Again, for a phone that was the default.
    Step("users.remove_phones_and_emails", "one"),
    Step("users.reset_password", "two"),
    # Of one whom an intruder invited.
    Step("guests.remove", "two"),
    # Of one whose account is here, last: he gets it back.
    Step("users.enable", "one", last=True),
)
