"""What a thing was before suspects wrote or deleted it: by the bodies that the Activity Log has of what was written."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from responders import familiarity
from responders.investigation import azure_monitor
from responders.model import Case, Finding, Json, Verdict
from responders.subscriptions import written
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from responders.azure import Azure
    from responders.investigation.activity import Activity

PERMISSIONS = written.PERMISSIONS
_MASK = "******"  # what the log has in place of secrets
# By the contract of Resource Manager a PUT that makes something is answered 201 (Created), another 200. These answer
# 201 to every PUT, by their reference; those that answer 200 to every PUT never say Created.
_ALWAYS_CREATED = frozenset(
    f"microsoft.authorization/{name}" for name in ("policyassignments", "policydefinitions", "policysetdefinitions")
)
CLOCKS = timedelta(minutes=1)  # by which those of a provider and of the log may differ


class Former(Struct, frozen=True, kw_only=True):
    """What the log tells of a thing."""

    known: bool  # whether it tells what the thing was before
    body: Json | None = None  # as somebody then wrote it; None where it was not there
    whole: bool = False  # whether that is all of it, and no PATCH
    source: str = ""  # where that is known from
    at: datetime | None = None  # when it was last written before them
    theirs: Json = {}  # what the suspects last wrote to it
    since: str = ""  # who else wrote it after the suspects
    before: bool = False  # whether it was there before them
    reach: int = 0  # to how many days before their first deed the log goes back

    @property
    def all_of_it(self) -> "Former":
        """The same, where a part of a body is as good as none: what is to be written again has to be whole."""
        return self if self.whole or self.body is None else structs.replace(self, known=False, body=None, before=True)

    def again(self, now: Json | None) -> Json | None:
        """What makes it as it was: with the tags that it has now, since the log hides their values."""
        if self.body is None or not now or not now.get("tags") or "tags" in self.body:
            return self.body
        return {**self.body, "tags": now["tags"]}


async def of(
    case: Case,
    azure: "Azure",
    subscription: str,
    resource: str,
    now: datetime,
    made: datetime | None = None,
) -> Former:
    """What a thing was before the suspects' first deed to it in the window. One read of the log.

    Where the log has no write before that, only a time of creation proves that they made it: `made`, when Azure says
    that what is there now was made, or an answer 201 (Created), where the type does not give that to every write.
    """
    own, history = await azure.own_id(), await written.history(azure, subscription, resource, now, now)
    deeds = [
        one
        for one in history.done
        if one.outcome != "failed" and one.operation.endswith(("/write", "/delete")) and one.oid != own
    ]
    first = next((n for n, one in enumerate(deeds) if _theirs(case, one)), None)
    if first is None:
        return Former(known=False, before=bool(deeds))  # the log lags: what it has are others' deeds
    after = [one for one in deeds[first:] if not _theirs(case, one)]
    theirs: list[Json] = [one.request for one in deeds if _theirs(case, one) and one.request]
    told = _told(deeds[:first], deeds[first], made)
    found = Former(
        known=told is not None,
        theirs=theirs[-1] if theirs else {},
        since=f"{_who(after[-1])} at {utc(after[-1].at)}" if after else "",
        before=first > 0 or (made is not None and made < deeds[first].at - CLOCKS),
        whole=(first > 0 and history.parts.isdisjoint(deeds[first - 1].events)) or bool(_taken(deeds[first])),
        at=deeds[first - 1].at if first else _given(deeds[first]),
        reach=max((deeds[first].at - azure_monitor.reach(now)).days, 0),
    )
    return structs.replace(found, body=told[0], source=told[1]) if told else found


def _told(earlier: "Sequence[Activity]", first: "Activity", made: datetime | None) -> tuple[Json | None, str] | None:
    """What it was, and where that is known from; None where the log does not tell."""
    if earlier:
        last = earlier[-1]
        what = f"by Azure's log, {_who(last)} {{}} it at {utc(last.at)}"
        if last.operation.endswith("/delete"):
            return None, what.format("deleted")
        if not last.request or _MASK in str({k: v for k, v in last.request.items() if k != "tags"}):
            return None
        return {k: v for k, v in last.request.items() if k != "tags" or _MASK not in str(v)}, what.format("wrote")
    if taken := _taken(first):
        return taken, f"by Azure's log, it was that when {_who(first)} deleted it at {utc(first.at)}"
    new = _new(first, made)
    return (None, new) if new else None


def _given(first: "Activity") -> datetime | None:
    """When what a deletion took had been written, if its answer says that."""
    said = _taken(first).get("properties") or {}
    return time_of(said.get("updatedOn") or said.get("createdOn"))


def _taken(first: "Activity") -> Json:
    """What a deletion answered that it took, as that of a role assignment does; {} where it says nothing."""
    return first.response if first.operation.endswith("/delete") and first.response.get("properties") else {}


def _new(first: "Activity", made: datetime | None) -> str:
    """By what it is known that a first deed made the thing; "" where that is not known."""
    if first.operation.endswith("/write"):
        if made is not None and made >= first.at - CLOCKS:
            return f"by Azure, it was made at {utc(made)}"
        always = first.operation.rpartition("/")[0].lower() in _ALWAYS_CREATED
        if made is None and first.status.lower() == "created" and not always:
            return "by Azure's log, it was made then"
    return ""


def _theirs(case: Case, one: "Activity") -> bool:
    return one.at >= case.since and bool(case.suspect(one.oid, one.at) or case.suspect(one.caller, one.at))


def judge(case: Case, deed: Finding) -> Verdict:
    """Whether what was done to a thing is known good.

    That the thing itself is familiar says nothing for it; only an owner's word on it does.
    """
    said = familiarity.vouched(case, deed.resource)
    if said and said.by:
        return Verdict(familiarity="familiar", reasons=(said.because,))
    verdict = familiarity.judge(case, deed.caller, deed.at, deed)
    reasons = tuple(why.replace("made ", "done ", 1) if why.startswith("made ") else why for why in verdict.reasons)
    return Verdict(familiarity=verdict.familiarity, reasons=reasons)


def _who(one: "Activity") -> str:
    return one.caller or one.oid or "somebody whom it doesn't name"
