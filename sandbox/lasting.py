"""What a response changes for good, so that no undo is expected to bring it back."""

from typing import Any

from sandbox.machines import GUESTS
from sandbox.score import key_of

_SETTLED = {"done", "already_so"}
# The part of its resource that an action changes for good.
_FOR_GOOD = {"users.reset_password": "/password", "service_principals.remove_secrets": "/passwordCredentials/"}
# And of those that change what is in a machine: the machine itself too, and that.
_INSIDE = {"vms.reset_passwords": (GUESTS,), "vms.reimage_in_place": ("", GUESTS)}
_NEVER_AGAIN = "/microsoft.resources/deploymentscripts/"  # what no undo makes anew: it would run again


def lasting(incident: dict[str, Any]) -> set[str]:
    """Keys, in a snapshot, of what an incident (as the API shows it) changed for good: for `score.restored`."""
    steps = incident.get("steps", ())
    found = {c["resource"].lower() for step in steps for c in step["changes"] if _NEVER_AGAIN in c["resource"].lower()}
    for step in steps:
        for change in step["changes"]:
            if change["status"] in _SETTLED and (change["lasting"] or step["reversible"] is False):
                key = key_of(change["resource"], {}) if step["reversible"] is False else change["resource"]
                part = _FOR_GOOD.get(step["action"], "")
                found |= {where + key + part for where in _INSIDE.get(step["action"], ("",))}
    return found
