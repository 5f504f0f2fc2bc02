import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from responders.errors import Permanent
from responders.ids import ResourceId, within
from responders.model import Case, Change, Finding, Json, Plan, Undoes, Verdict
from responders.subscriptions import bodies, definition, former, inventory, resource_graph, unlisted, whole
from responders.subscriptions.draft import Draft
from responders.subscriptions.former import Former
from responders.subscriptions.guards import BY_TYPE as GUARDS
from responders.subscriptions.resource_graph import Recorded
from responders.subscriptions.resource_types import NEVER_AGAIN
from responders.subscriptions.restore_guards import RestoreGuards
from responders.subscriptions.security_settings import SETTINGS
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_IDENTITY = "identity"  # which subscriptions.detach_identities sees to
_SYSTEM = "properties.storageProfile.osDisk"  # of a machine that is cleaned: vms.reimage gives it another
_BY_TYPE = {name.lower(): settings for name, settings in SETTINGS.items()}


class _Rewritten(Struct, frozen=True, kw_only=True):
    """Something familiar that a suspect wrote to."""

    id: ResourceId
    version: str  # of its API
    deeds: list[Finding]
    verdict: Verdict
    now: Json
    theirs: Json  # what the suspect last wrote to it, as far as the log has it
    wanted: Json | None = None  # what makes it as it was; None where nobody knows
    source: str = ""  # where that is known from
    shown: str = ""  # what he changed, as far as it is known
    since: str = ""  # who else wrote it after him
    events: list[str] = []  # of his deeds that writing it again undoes

    @property
    def label(self) -> str:
        return f"{self.id.type} {self.id.name}"

    @property
    def who(self) -> str:
        return f"{self.deeds[0].name or self.deeds[0].caller} at {utc(self.deeds[0].at)}"


class RestoreDefinitions(RestoreGuards):
    """Write familiar things of any type again as they were before a suspect rewrote them.

    What one was is the whole body of its last write before the suspect's first, where the Activity Log has it; or what
    it is now with the former values of what Resource Graph recorded as changed. It comes after the steps that know a
    type better, and has nothing to do where they put everything back. Of what nobody knows, and of what holds secrets,
    a person is told what the suspect wrote.
    """

    id = "subscriptions.restore_definitions"
    permissions = ("*/read", "*/write")
    undoes = Undoes(events="events")

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        wrote = list(unlisted.written(case, subject.id, frozenset(GUARDS)))
        found = await _found(case, azure, subject.id, wrote) if wrote else []
        draft = Draft()
        for one in found:
            if one.verdict.familiarity == "familiar":
                draft.kept.append(f"{one.label}: {'; '.join(one.verdict.reasons)}")
            elif one.since:
                draft.kept.append(f"{one.label}: {one.since} wrote it after the suspect: look whether it is right")
            elif why := _only_by_hand(one):
                draft.by_hand.append(why)
            else:
                draft.changes.append(_change(one))
        return draft.plan(self.id, subject, f"Of {len(wrote)} things that the suspects wrote none is written again.")


async def _found(
    case: Case, azure: "Azure", subscription: str, wrote: list[tuple[ResourceId, list[Finding]]]
) -> list[_Rewritten]:
    (listed, _), recorded, own = await asyncio.gather(
        inventory.resources(azure, subscription),
        resource_graph.changes(azure, subscription, case.since),
        azure.own_id(),
    )
    made = {item.key: item.made for item in listed}
    room, at = asyncio.Semaphore(inventory.AT_ONCE), datetime.now(UTC)

    async def look(id_: ResourceId, deeds: list[Finding]) -> _Rewritten | None:
        its = [one for one in recorded.get(id_.key, ()) if one.by.lower() != own]
        begun = made.get(id_.key)
        own_thing = begun is not None and begun >= deeds[0].at - former.CLOCKS
        if own_thing or any(one.made and whole.theirs(case, one) for one in its):
            return None  # he made it: nothing of it is asked for, however many there are
        async with room:
            version, now = await _read(azure, id_)
            if now is None and _deleted(case, id_, deeds[0]):
                return None
            begun = begun or definition.made_at(now or {})
            was = (await former.of(case, azure, subscription, id_.text, at, begun)).all_of_it
        verdict = former.judge(case, deeds[0])
        one = _Rewritten(id=id_, version=version, deeds=deeds, verdict=verdict, now=now or {}, theirs=was.theirs)
        if now is None:
            return _hidden(one, was)
        return _by_log(case, one, was) if was.known else _by_record(case, one, its, was)

    looked = await asyncio.gather(*(look(id_, deeds) for id_, deeds in wrote))
    return [one for one in looked if one]


async def _read(azure: "Azure", id_: ResourceId) -> tuple[str, Json | None]:
    """Its API's version, and what it is now; None where Azure shows nothing, or refuses to."""
    try:
        version = await inventory.version(azure, id_)
        return version, await inventory.read(azure, id_.text, version)
    except Permanent:
        return "", None


def _deleted(case: Case, id_: ResourceId, deed: Finding) -> bool:
    """Whether it is gone, by a suspect or by this incident, with what it lies beneath or alone."""
    gone = [f.resource for f in case.findings if f.at >= deed.at and f.operation.lower().endswith("/delete")]
    gone += [p["id"] for c in case.done if c.action == "subscriptions.delete_resources" for p in c.before["parts"]]
    return any(within(id_.text, thing) for thing in gone)


def _hidden(one: _Rewritten, was: Former) -> _Rewritten | None:
    """What can be written and not be read, as settings of sites; None where the suspect perhaps made it."""
    if was.body is None and not was.before:
        return None
    shown = bodies.told(_shown(was.body), _shown(was.theirs)) if was.body and was.theirs else _wrote(was.theirs)
    return structs.replace(one, shown=shown, since=was.since)


def _by_log(case: Case, one: _Rewritten, was: Former) -> _Rewritten | None:
    """What the Activity Log tells; None where the suspect made it, or it is as it was."""
    again = was.again(one.now)
    if again is None:
        return None
    wanted, theirs = _but_identity(again), _but_identity(was.theirs)
    if _cleaned(case, one):
        wanted, theirs = _with_its_disk(wanted, one.now), _with_its_disk(theirs, one.now)
    if bodies.untouched(one.now, wanted, theirs) and not was.since:
        return None
    if kept := definition.essence(one.now).get(_IDENTITY):
        wanted[_IDENTITY] = kept
    return structs.replace(
        one,
        wanted=wanted,
        theirs=theirs,
        source=was.source,
        shown=bodies.told(_shown(wanted), _shown(theirs or one.now)),
        since=was.since,
        events=[event for deed in one.deeds for event in deed.events],
    )


def _by_record(case: Case, one: _Rewritten, its: list[Recorded], was: Former) -> _Rewritten | None:
    """What Resource Graph tells; None where all of it is some other step's, or the suspect perhaps made the thing."""
    start = next((n for n, change in enumerate(its) if whole.theirs(case, change)), None)
    if start is None:
        return structs.replace(one, shown=_wrote(was.theirs)) if was.before else None
    kind = one.id.type.lower()
    others = (
        _IDENTITY,
        *([_SYSTEM] if _cleaned(case, one) else ()),
        *(_BY_TYPE[kind].paths if kind in _BY_TYPE else ()),
    )
    theirs = dict(_theirs(case, its[start:], kind, others))
    if not theirs:
        return None
    watched = tuple(bodies.path_of(path) for path in theirs)
    wanted, since = one.now, ""
    try:
        for change in reversed(its[start:]):
            earlier = bodies.before(wanted, change.changes, watched)
            if earlier != wanted and not whole.theirs(case, change):
                since = since or f"{change.by or 'somebody'} at {utc(change.at)}"
            wanted = earlier
    except bodies.Unlike:
        return structs.replace(one, shown=whole.told(theirs))
    if wanted == one.now and not since:
        return None
    return structs.replace(
        one,
        wanted=definition.essence(wanted),
        theirs={},
        source="by Resource Graph's record of the change",
        shown=whole.told(theirs),
        since=since,
        events=whole.by_record(case, one.deeds, its, kind, list(theirs)),
    )


def _theirs(case: Case, its: list[Recorded], kind: str, others: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    """What suspects changed, by path, but for what another step sees to."""
    for change in its:
        if whole.theirs(case, change):
            yield from whole.besides(change, kind, others).items()


def _wrote(theirs: Json) -> str:
    return f"he wrote {bodies.shown(_shown(theirs))}" if theirs else ""


def _cleaned(case: Case, one: _Rewritten) -> bool:
    """Whether it is a machine that gets another OS disk, since its own is the suspect's."""
    return any(machine.id.lower() == one.id.key for machine in case.machines)


def _with_its_disk(body: Json, now: Json) -> Json:
    """The body of a machine with the OS disk that it has now."""
    storage = (body.get("properties") or {}).get("storageProfile")
    if not storage:
        return body
    kept = {**storage, "osDisk": now["properties"]["storageProfile"]["osDisk"]}
    return {**body, "properties": {**body["properties"], "storageProfile": kept}}


def _but_identity(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != _IDENTITY}


def _shown(body: Json) -> Json:
    """What of a body people are shown: no secrets, and no tags, which Azure's log hides."""
    shown: Json = definition.evidence({name: value for name, value in body.items() if name != "tags"})
    return shown


def _only_by_hand(one: _Rewritten) -> str:
    kind = one.id.type.lower()
    if not one.now:
        why = "what it is now, Azure does not show"
    elif one.wanted is None:
        why = "what it was before, neither the Activity Log nor Resource Graph tell"
    elif definition.hides(definition.evidence([one.now, one.wanted, one.theirs])):
        why = "it holds secrets, which are not kept here"
    elif kind in NEVER_AGAIN:
        why = NEVER_AGAIN[kind]
    else:
        return ""
    shown = f": {one.shown}" if one.shown else ""
    return (
        f"{one.label} ({one.id.text}) was changed by {one.who}{shown}. It is not put back here, since {why}. Whoever "
        "answers for it puts it back."
    )


def _change(one: _Rewritten) -> Change:
    return Change(
        action=RestoreDefinitions.id,
        resource=one.id.text,
        summary=f"write again as it was: {one.label} of {one.id.group or 'no group'}",
        reasons=tuple(filter(None, (one.deeds[0].reason, *one.verdict.reasons, one.shown, one.source))),
        before={
            "version": one.version,
            "now": one.now,
            "wanted": one.wanted,
            "theirs": one.theirs,
            "locks": [],
            "events": one.events,
        },
        familiarity=one.verdict.familiarity,
    )
