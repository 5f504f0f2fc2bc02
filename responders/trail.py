"""What Entra's audit log says: who added what to whom, and when (GET /auditLogs/directoryAudits).

Graph itself has no time and no maker for most of what can be given to a principal. The log shows a deed after some
minutes, and keeps it for a week at least: longer than any window.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity
from responders.azure import odata
from responders.memo import Memo
from responders.model import Case, Finding, Json, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("AuditLog.Read.All",)
# Graph answers five requests to its logs in ten seconds. What one plan has read serves the plans beside it.
_FRESH = 60  # seconds


class Entry(Struct, frozen=True, kw_only=True):
    """One deed of the log that succeeded."""

    activity: str  # small letters: "add member to group"
    at: datetime
    by: str  # object id; "" where the log does not say
    name: str
    address: str
    why: str  # more on the activity: "User registered Mobile Phone SMS"
    about: frozenset[str]  # every id that it names: its targets', and those in their properties; small letters
    old: Mapping[str, str]  # properties by name, as they were
    new: Mapping[str, str]


class Trail(Struct, frozen=True):
    """Entries of the log, the newest first; without our own, since what we put back is the first maker's."""

    entries: tuple[Entry, ...]

    def last(self, activities: Iterable[str], *about: str) -> Entry | None:
        """The newest deed of those kinds that is about all of these ids."""
        kinds, ids = {a.lower() for a in activities}, {i.lower() for i in about}
        return next((e for e in self.entries if e.activity in kinds and ids <= e.about), None)


async def of_target(azure: "Azure", id_: str, since: datetime, *, ours: bool = False) -> Trail:
    """All that was done to an object since then; with `ours`, by the responder too."""
    clause = f"activityDateTime ge {_stamp(since)} and targetResources/any(t: t/id eq {odata(id_)})"
    return await _read(azure, clause, ours=ours)


async def of_activity(azure: "Azure", activity: str, since: datetime) -> Trail:
    """All deeds of a kind since then: for those whose entries name the one who was given something in passing only."""
    return await _read(azure, f"activityDateTime ge {_stamp(since)} and activityDisplayName eq {odata(activity)}")


def verdict(case: Case, entry: Entry | None, *, thing: str = "", holder: str = "") -> Verdict:
    """Judge what an entry added: `thing`, which gives `holder` something, if it does.

    None for an entry: the log has nobody adding it in the window, so that it is older.
    """
    if entry is None:
        return Verdict(familiarity="familiar", reasons=("nobody added it in the window, by Entra's audit log",))
    suspect = case.suspect(entry.by, entry.at)
    known = suspect and any(
        f.usual and f.address == entry.address and case.suspect(f.caller) == suspect for f in case.findings
    )
    deed = Finding(
        rule="other",
        reason="",
        at=entry.at,
        operation=entry.activity,
        resource="",
        caller=entry.by,
        address=entry.address,
        usual=bool(known),
    )
    return familiarity.judge(case, entry.by or None, entry.at, deed, thing=thing, holder=holder)


_memo = Memo[Trail](_FRESH)


async def _read(azure: "Azure", clause: str, *, ours: bool = False) -> Trail:
    async def read() -> Trail:
        pages = azure.graph_pages("/auditLogs/directoryAudits", {"$filter": clause})
        found = [entry async for raw in pages if (entry := _entry(raw))]
        return Trail(tuple(sorted(found, key=lambda entry: entry.at, reverse=True)))

    own = "" if ours else await azure.own_id()
    log = await _memo.get(azure, clause, read)
    return Trail(tuple(entry for entry in log.entries if not own or entry.by != own))


def _entry(raw: Json) -> Entry | None:
    if raw.get("result") != "success":
        return None
    by = raw.get("initiatedBy") or {}
    user, app = by.get("user") or {}, by.get("app") or {}
    about, old, new = set[str](), dict[str, str](), dict[str, str]()
    for target in raw.get("targetResources") or ():
        about.add(str(target.get("id") or "").lower())
        for change in target.get("modifiedProperties") or ():
            name = str(change.get("displayName"))
            for values, text in ((old, change.get("oldValue")), (new, change.get("newValue"))):
                values[name] = value = _plain(text)
                # Whoever names a group after somebody's object id must not have done anything to him.
                about |= {value.lower()} if name.lower().endswith("id") else set()
    return Entry(
        activity=str(raw.get("activityDisplayName") or "").strip().lower(),
        at=datetime.fromisoformat(raw["activityDateTime"]),
        by=str(user.get("id") or app.get("servicePrincipalId") or "").lower(),
        name=str(user.get("userPrincipalName") or app.get("displayName") or ""),
        address=str(user.get("ipAddress") or ""),
        why=str(raw.get("resultReason") or ""),
        about=frozenset(about - {""}),
        old=old,
        new=new,
    )


def _plain(text: str | None) -> str:
    """The value of a property, which the log has as JSON in text: a GUID in its own quotes."""
    try:
        value = json.loads(text or '""')
    except ValueError:
        return str(text)
    return value if isinstance(value, str) else json.dumps(value)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
