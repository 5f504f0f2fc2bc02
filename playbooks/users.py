"""A user, or a guest, held to be compromised."""

from playbooks.step import Step

STEPS = (
    Step("users.disable", "one", contains=True),
    # Irreversible, but all that is lost is a session; and after blocking sign-in, so that no new one begins.
    Step("users.revoke_sessions", "one"),
)
