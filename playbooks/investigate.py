"""An investigation without an alert: what the log of a subscription shows of a time, and whom it would take to task.

It reads Azure as whoever runs it, and writes nothing anywhere.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from playbooks import dispatch
from responders import directory
from responders.azure import Azure, explained
from responders.errors import Permanent
from responders.ids import is_guid
from responders.investigation import scope
from responders.investigation.findings import findings
from responders.model import Alert, Case, Finding, Json, Principal, Subject, plain
from responders.services import Services
from responders.settings import PREFIX, Settings
from responders.utc import utc


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be investigated."""

    subscription: str  # GUID, lower case
    since: datetime
    until: datetime
    accounts: tuple[str, ...] = ()  # user principal names, or object ids of any identity: the suspects


def subscription(text: str) -> str:
    """A subscription from the command line. Raises ValueError."""
    if not is_guid(text):
        raise ValueError(text)
    return text.lower()


def account(text: str) -> str:
    """A principal name or object id from the command line. Raises ValueError."""
    if not is_guid(text) and not text.strip("@").count("@"):
        raise ValueError(text)
    return text


def moment(text: str) -> datetime:
    """A time from the command line: ISO 8601, UTC unless it says otherwise, or for how long back. Raises ValueError."""
    if text.upper().startswith("P"):
        try:
            return datetime.now(UTC) - msgspec.convert(text, timedelta)
        except (msgspec.ValidationError, OverflowError) as error:
            raise ValueError(text) from error
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def investigate(asked: Asked, now: datetime) -> Json:
    """The whole investigation as plain JSON. Raises Permanent or Temporary when the log can't be read."""
    its = Services(_settings(asked))
    try:
        with explained("investigating"):
            return await _report(its, asked, now)
    finally:
        await its.close()


def _settings(asked: Asked) -> Settings:
    """Those of the environment. What only a response needs is not asked for; where it is set, it counts."""
    given = {name: value for name, value in os.environ.items() if value.strip()}
    settings = Settings.load({PREFIX + "SUBSCRIPTIONS": asked.subscription, PREFIX + "EVIDENCE": "memory://", **given})
    if not settings.covers(asked.subscription):
        raise Permanent(f"Subscription {asked.subscription} is not in {PREFIX}SUBSCRIPTIONS. Not investigated.")
    return settings


async def _report(its: Services, asked: Asked, now: datetime) -> Json:
    notes: list[str] = []
    suspects = tuple([await _suspect(its.azure, text, notes) for text in asked.accounts])
    case = Case(
        incident="",
        alert=_none(asked),
        subscription=asked.subscription,
        tenant="",
        suspects=suspects,
        since=asked.since,
        until=asked.until,
    )
    if suspects:
        case = await _widened(its.azure, case, notes)
    found = await findings(its.azure, its.settings, case, now=now, least="notable", ours=True)
    case = case.having(findings=found.findings, notes=(*notes, *found.notes, *_silent(case, found.findings)))
    blamed = case if suspects else await _blamed(its.azure, case)
    return {
        **{name: plain(getattr(asked, name)) for name in ("subscription", "since", "until", "accounts")},
        "baseline": plain(asked.since - its.settings.baseline),
        "suspects": plain(case.suspects),
        "findings": {"count": len(case.findings), "list": plain(case.findings)},
        "subjects": [plain(subject) for subject in _subjects(blamed)],
        "by_hand": list(dispatch.by_hand(blamed)) if blamed.suspects else [],
        "notes": list(blamed.notes),
    }


def _none(asked: Asked) -> Alert:
    """No alert, where one is expected."""
    return Alert(name="", type="", title="", severity="Informational", status="", start=asked.since, end=asked.until)


async def _suspect(azure: Azure, text: str, notes: list[str]) -> Principal:
    """Who that is. Whom the directory does not know is looked for in the log by that name: he may have been deleted."""
    why = f"The directory knows no {text}"
    try:
        with explained(f"looking up {text}"):
            if found := await directory.principal(azure, text):
                return msgspec.structs.replace(found, because="the investigation names it")
    except Permanent as error:
        why = str(error).rstrip(".")
    notes.append(f"{why}. It is looked for in the log by that name alone.")
    id_, upn = (text.lower(), "") if is_guid(text) else ("", text)
    return Principal(id=id_, kind="unknown", name=text, upn=upn, because="the investigation names it")


async def _widened(azure: Azure, case: Case, notes: list[str]) -> Case:
    """The case with the identities that its suspects made or took over, as in an incident."""
    try:
        with explained("looking for other identities of the suspects"):
            case, unknown = await scope.widen(azure, case)
    except Permanent as error:
        unknown = (f"{error} Whether the suspects made or took over other identities is unknown.",)
    notes += unknown
    return case


async def _blamed(azure: Azure, case: Case) -> Case:
    """The case if those who did something suspicious were its suspects."""
    grave = [finding for finding in case.findings if finding.level == "suspicious"]
    first: dict[str, list[Finding]] = {}
    for finding in grave:
        first.setdefault(finding.caller, []).append(finding)
    notes: list[str] = []
    suspects = []
    for caller, theirs in first.items():
        name, one = theirs[0].name or caller, theirs[0]
        known = await _suspect(azure, caller if is_guid(caller) else name, notes)
        count = f"{len(theirs)} suspicious {'activity' if len(theirs) == 1 else 'activities'}"
        because = f"{count}, the first at {utc(one.at)}: {one.reason}"
        suspects.append(msgspec.structs.replace(known, name=known.name or name, because=because, since=one.at))
    told = tuple(msgspec.structs.replace(f, suspect=f.level == "suspicious") for f in case.findings)
    return case.having(suspects=tuple(suspects), findings=told, notes=(*case.notes, *notes))


def _subjects(case: Case) -> Iterable[Subject]:
    """What a response would take as compromised; nothing where nobody is suspected."""
    if not case.suspects:
        return
    for subject in dispatch.subjects(case):
        if subject.kind == "subscription":
            yield msgspec.structs.replace(subject, reason="the suspects acted in it")
        else:
            yield subject


def _silent(case: Case, found: Iterable[Finding]) -> Iterable[str]:
    """Of which suspects the log has nothing."""
    seen = {name.lower() for finding in found if finding.suspect for name in (finding.caller, finding.name)}
    for suspect in case.suspects:
        if seen.isdisjoint(name.lower() for name in (suspect.id, suspect.upn, suspect.app_id) if name):
            yield f"The log holds no activity of {suspect.upn or suspect.name or suspect.id} in that time."
