"""What is kept of an activity of the window until all of the log was read: without its bodies, which may be large."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from responders.investigation.activity import Activity
from responders.investigation.fields import field
from responders.investigation.rules import Match
from responders.investigation.signals import Signal
from responders.model import Json

_NOTHING: Json = {}
_MOST = 64  # names that are kept of one request
# What of a body says which other thing an activity is about.
_NAMED: dict[str, tuple[str, ...]] = {
    "microsoft.compute/disks/write": (
        "request.properties.creationData.sourceResourceId",
        "response.properties.creationData.sourceResourceId",
    ),
    "microsoft.compute/virtualmachines/write": (
        "request.properties.storageProfile.osDisk.managedDisk.id",
        "request.properties.storageProfile.dataDisks.managedDisk.id",
        "response.properties.storageProfile.osDisk.managedDisk.id",
        "response.properties.storageProfile.dataDisks.managedDisk.id",
    ),
    "microsoft.authorization/roleassignments/write": ("request.properties.principalId",),
    "microsoft.automation/automationaccounts/jobs/write": (
        "request.properties.runbook.name",
        "response.properties.runbook.name",
    ),
    "microsoft.automation/automationaccounts/webhooks/write": (
        "request.properties.runbook.name",
        "response.properties.runbook.name",
    ),
}
_READERS = {operation: tuple(field(name) for name in names) for operation, names in _NAMED.items()}


class Trace(Struct):
    """An activity of the window, what its rules say, and what was found out about it since."""

    activity: Activity
    matches: tuple[Match, ...]
    who: str  # object id of the caller, or his name, in lower case
    names: tuple[str, ...]  # what its request names, in lower case
    suspect: bool
    signals: dict[str, Signal] = {}

    def found(self, signal: Signal) -> None:
        """Keep a signal; of one kind the last one, which has seen most."""
        self.signals[signal.name] = signal


def trace(activity: Activity, matches: tuple[Match, ...], *, suspect: bool) -> Trace:
    """Take what is needed of an activity."""
    bare = msgspec.structs.replace(activity, request=_NOTHING, response=_NOTHING)
    names = tuple(_names(activity))[:_MOST]
    return Trace(bare, matches, activity.oid or activity.caller.lower(), names, suspect)


def _names(activity: Activity) -> Iterable[str]:
    found = (value for one in _READERS.get(activity.operation, ()) for value in one.read(activity))
    return dict.fromkeys(value.lower() for value in found if isinstance(value, str) and value)
