"""Who else wrote what in the window: of whatever the suspects did not make, who did, and whether that is his routine.

Routine is what somebody long known does from a network that he used before, when nothing suspicious is known of him: a
stolen session of his would come from elsewhere.
"""

from collections.abc import Collection

import msgspec

from responders.investigation.activity import Activity
from responders.investigation.baseline import Baseline
from responders.model import Json, Maker

MOST = 2_000  # things of which it is kept
_NOTHING: Json = {}


class Makers:
    """The first writes of others, by resource."""

    def __init__(self) -> None:
        self._first: dict[str, Activity] = {}

    def see(self, activity: Activity) -> None:
        """See an activity of the window that no suspect did."""
        if not activity.operation.endswith("/write") or activity.outcome == "failed":
            return
        key = activity.resource.lower()
        before = self._first.get(key)
        if activity.at < before.at if before else len(self._first) < MOST:
            self._first[key] = msgspec.structs.replace(activity, request=_NOTHING, response=_NOTHING)

    def told(self, baseline: Baseline, suspicious: Collection[str]) -> dict[str, Maker]:
        """By resource id, in lower case. `suspicious`: object ids or names of those who did something suspicious."""
        return {
            key: Maker(
                id=one.oid or one.caller,
                at=one.at,
                regular=_regular(one, baseline, suspicious),
                name=one.caller,
                address=one.address,
            )
            for key, one in self._first.items()
            if one.oid or one.caller
        }


def _regular(one: Activity, baseline: Baseline, suspicious: Collection[str]) -> str:
    history = baseline.of(one)
    if history is None or not baseline.enough(history) or {one.oid, one.caller} & set(suspicious):
        return ""
    if not baseline.knows_network(one):
        return ""
    return (
        f"{one.caller or one.oid} did {history.count} things in the {baseline.span_of(history)} days before the "
        f"window, and was on a network that he used before ({one.address})"
    )
