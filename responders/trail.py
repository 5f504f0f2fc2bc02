"""What Entra's audit log says: who added what to whom, and when (GET /auditLogs/directoryAudits).

Graph itself has no time and no maker for most of what can be given to a principal. The log shows a deed after some
minutes, and keeps it for a week at least: longer than any window. So that nobody is in the log proves nothing of what a
thief gave himself just now: only of a thing that was seen so long ago that the log must tell of it by now. What was not
is looked at again, by a plan of its own.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from responders import directory, familiarity
from responders.azure import fine, odata
from responders.memo import Memo
from responders.model import Case, Finding, Json, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("AuditLog.Read.All",)
# Graph answers five requests to its logs in ten seconds. What one plan has read serves the plans beside it.
_FRESH = 60  # seconds
# After so long the log has what was done: Microsoft speaks of minutes, 15 at most.
LAG = timedelta(minutes=15) + timedelta(seconds=_FRESH)
_UNLICENSED = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"


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
    unread: str = ""  # why there are none to be had

    def last(self, activities: Iterable[str], *about: str) -> Entry | None:
        """The newest deed of those kinds that is about all of these ids."""
        kinds, ids = {a.lower() for a in activities}, {i.lower() for i in about}
        return next((e for e in self.entries if e.activity in kinds and ids <= e.about), None)


async def of_target(azure: "Azure", case: Case, id_: str, *, ours: bool = False) -> Trail:
    """All that was done to an object in the window and since; with `ours`, by the responder too."""
    return await _read(azure, case, f"targetResources/any(t: t/id eq {odata(id_)})", ours=ours)


async def of_activity(azure: "Azure", case: Case, activity: str) -> Trail:
    """All deeds of a kind in the window and since: where entries name the one who was given something in passing."""
    return await _read(azure, case, f"activityDisplayName eq {odata(activity)}")


def absent(case: Case, log: Trail, thing: str) -> Verdict:
    """Judge what nobody in the log added. `thing`: its Graph path.

    It is older than the window if it was there before the log's last minutes: then the log would tell.
    """
    if log.unread:
        return Verdict(familiarity="unknown", reasons=(log.unread,))
    if thing in case.settled:
        return Verdict(familiarity="familiar", reasons=("nobody added it in the window, by Entra's audit log",))
    if case.late:
        why = "it came while the incident was being answered, and Entra's audit log does not say yet who added it"
        return Verdict(familiarity="unknown", reasons=(why,))
    why = "nobody added it in the window, by Entra's audit log, which lags: it is looked at again when that has told"
    return Verdict(familiarity="unknown", reasons=(why,), awaits=thing, spared=True)


def awaited(case: Case, log: Trail, thing: str, verdict: Verdict) -> Verdict:
    """The verdict on a thing that came in the window, for want of an entry: the log may still tell who added it."""
    over = case.late or log.unread or thing in case.settled or verdict.familiarity != "unknown"
    return verdict if over else replace(verdict, awaits=thing)


def awaits(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """What a plan awaits that made these verdicts."""
    return tuple(verdict.awaits for verdict in verdicts if verdict.awaits)


def still(case: Case, log: Trail, things: str) -> tuple[str, ...]:
    """What a plan awaits that looks only at what the log has: more of these things."""
    return () if case.late or log.unread else (things,)


def verdict(case: Case, entry: Entry, *, thing: str = "", holder: str = "") -> Verdict:
    """Judge what an entry added: `thing`, which gives `holder` something, if it does."""
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
        name=entry.name,
        address=entry.address,
        usual=bool(known),
    )
    return familiarity.judge(case, entry.by or None, entry.at, deed, thing=thing, holder=holder)


_memo = Memo[Trail](_FRESH)


async def _read(azure: "Azure", case: Case, clause: str, *, ours: bool = False) -> Trail:
    async def read() -> Trail:
        found: list[Entry] = []
        with fine(_UNLICENSED) as said:
            found += [entry async for raw in directory.audits(azure, case.since, clause) if (entry := _entry(raw))]
        why = (
            "Entra's audit log can't be read, for want of a license (Entra ID P1): who added it, and when, is not known"
        )
        return Trail(tuple(sorted(found, key=lambda entry: entry.at, reverse=True)), unread=why if said else "")

    own = "" if ours else await azure.own_id()
    log = await _memo.get(azure, f"{case.late} {case.since} {clause}", read)
    return replace(log, entries=tuple(entry for entry in log.entries if not own or entry.by != own))


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
