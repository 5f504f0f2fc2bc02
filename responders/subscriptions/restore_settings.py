import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import bodies, definition, former, inventory, resource_graph, whole
from responders.subscriptions.resource_graph import Recorded
from responders.subscriptions.security_settings import SETTINGS, Settings
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_BY_TYPE = {name.lower(): settings for name, settings in SETTINGS.items()}
_SWITCHES = frozenset({"microsoft.logic/workflows/disable/action", "microsoft.logic/workflows/enable/action"})
_MOST_SHOWN = 50  # resources of which other changes are told
_NOT_READ = "what it was before, neither Resource Graph nor the Activity Log tell"


class _Written(Struct, frozen=True, kw_only=True):
    """A resource that a suspect wrote to, and that was there before."""

    id: ResourceId
    settings: Settings
    deeds: list[Finding]
    verdict: Verdict
    now: Json
    changed: list[Json]  # {"path", "now", "was"}
    unknown: tuple[str, ...] = ()  # settings that he wrote, and of which nobody knows what they were
    source: str = ""
    since: str = ""  # who else changed such a setting after him
    events: list[str] = []  # of his deeds, if they changed nothing else

    @property
    def deed(self) -> Finding:
        return self.deeds[0]


class RestoreSettings:
    """Put settings that matter for security back, where a suspect changed them on resources that were there before.

    Which ones these are is in security_settings.py. What they were is what Resource Graph recorded of the change, or
    else what the Activity Log has of the last write before. All else of the resource stays as it is now: others may
    have changed that since. Other changes of the suspects are shown.
    """

    id = "subscriptions.restore_settings"
    permissions = (*former.PERMISSIONS, *(f"{name}/{verb}" for name in SETTINGS for verb in ("read", "write")))
    reversible = True
    undoes = Undoes(events="events")

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        deeds = _deeds(case, subject.id)
        recorded = await resource_graph.changes(azure, subject.id, case.since) if deeds else {}
        room, at = asyncio.Semaphore(inventory.AT_ONCE), datetime.now(UTC)

        async def look(deed: tuple[ResourceId, list[Finding]]) -> _Written | None:
            async with room:
                return await _look(case, azure, deed, recorded.get(deed[0].key, []), at)

        looked = await asyncio.gather(*(look(deed) for deed in deeds.values()))
        changes, kept, by_hand = list[Change](), list[str](), list[str]()
        for one in filter(None, looked):
            label = f"{one.id.type} {one.id.name}"
            if one.verdict.familiarity == "familiar" and (one.changed or one.unknown):
                kept.append(f"{label}: {'; '.join(one.verdict.reasons)}")
                continue
            if one.since:
                kept.append(
                    f"{label}: {one.since} changed such settings after the suspect: look whether they are right"
                )
            elif one.changed and definition.hides([definition.evidence(item) for item in one.changed]):
                by_hand.append(f"{one.id.text}: what {_who(one)} changed holds secrets: put it back by hand.")
            elif one.changed:
                changes.append(_change(one))
            if one.unknown:
                wrote = ", ".join(one.unknown)
                by_hand.append(
                    f"{one.id.text}: {_who(one)} wrote {wrote}; {_NOT_READ}. Whoever answers for it checks it."
                )
        kept += _others(case, recorded)
        reason = "" if changes else f"On {len(deeds)} resources that a suspect wrote no such setting is to be put back."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await inventory.read(azure, change.resource, change.before["version"])
        if now is None:
            return Outcome(status="already_so", reason="The resource is gone.")
        if _approved(now, change):
            await _write(azure, change, now, "was")
            return Outcome(status="done")
        if _restored(now, change):
            return Outcome(status="already_so", reason="It is as it was before already.")
        shown = {item["path"]: _at(now, item["path"]) for item in change.before["settings"]}
        return Outcome(status="drifted", reason="These settings are not what was approved any more.", after=shown)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        now = await inventory.read(azure, change.resource, change.before["version"])
        if now is not None and (_approved(now, change) or not _restored(now, change)):
            raise Temporary(f"{change.resource} does not show its former settings yet.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now = await inventory.read(azure, change.resource, change.before["version"])
        if now is None:
            return Outcome(status="failed", reason="The resource is gone.")
        if _approved(now, change):
            return Outcome(status="already_so", reason="It is as it was before this step already.")
        if not _restored(now, change):
            return Outcome(status="failed", reason="Somebody changed it since: put it back by hand, if that is right.")
        await _write(azure, change, now, "now")
        after = await inventory.read(azure, change.resource, change.before["version"])
        if after is None or not _approved(after, change):
            raise Temporary(f"{change.resource} does not show yet what was put back.")
        return Outcome(status="done")


def _deeds(case: Case, subscription: str) -> dict[str, tuple[ResourceId, list[Finding]]]:
    """The writes of suspects to each resource of these types, or to a part of it that is none by itself."""
    found: dict[str, tuple[ResourceId, list[Finding]]] = {}
    for finding in sorted(case.findings, key=lambda f: f.at):
        operation = finding.operation.lower()
        if not finding.is_deed:
            continue
        if not (operation.endswith("/write") or operation in _SWITCHES):
            continue
        id_ = ResourceId.read(finding.resource)
        # The access policies of a vault are written under an id of their own.
        if id_ and id_.type.lower() == "microsoft.keyvault/vaults/accesspolicies":
            id_ = ResourceId.parse(finding.resource.rsplit("/", 2)[0])
        if id_ and id_.subscription == subscription.lower() and id_.type.lower() in _BY_TYPE:
            found.setdefault(id_.key, (id_, []))[1].append(finding)
    return found


async def _look(
    case: Case, azure: "Azure", deed: tuple[ResourceId, list[Finding]], recorded: list[Recorded], at: datetime
) -> _Written | None:
    """What was changed; None where the resource is gone, or is the suspect's own."""
    id_, deeds = deed
    settings = _BY_TYPE[id_.type.lower()]
    now = await inventory.read(azure, id_.text, settings.version)
    if now is None or any(one.made and whole.theirs(case, one) for one in recorded):
        return None
    verdict = former.judge(case, deeds[0])
    found = _Written(id=id_, settings=settings, deeds=deeds, verdict=verdict, now=now, changed=[])
    by_record = _by_record(case, found, recorded)
    return by_record or await _by_log(case, azure, found, at)


def _by_record(case: Case, found: _Written, recorded: list[Recorded]) -> _Written | None:
    """What Resource Graph tells; None where it tells nothing, or what does not fit to what is there now."""
    start = next((n for n, one in enumerate(recorded) if whole.theirs(case, one)), None)
    if start is None:
        return None
    watched = tuple(bodies.path_of(path) for path in found.settings.paths)
    was, since = found.now, ""
    try:
        for one in reversed(recorded[start:]):
            earlier = bodies.before(was, one.changes, watched)
            if earlier != was and not whole.theirs(case, one):
                since = since or f"{one.by or 'somebody'} at {utc(one.at)}"
            was = earlier
    except bodies.Unlike:
        return None
    changed = list(_differing(found.settings.paths, found.now, was))
    source = "by Resource Graph's record of the change"
    events = whole.by_record(case, found.deeds, recorded, found.id.type, found.settings.paths)
    return structs.replace(found, changed=changed, source=source, since=since if changed else "", events=events)


async def _by_log(case: Case, azure: "Azure", found: _Written, at: datetime) -> _Written | None:
    """What the Activity Log tells, by the bodies of the writes."""
    was = await former.of(case, azure, found.id.subscription, found.id.text, at, definition.made_at(found.now))
    if was.known and was.body is None:
        return None  # the suspect made it
    wrote = [path for path in found.settings.paths if _at(was.theirs, path) is not None]
    known = [path for path in wrote if _at(was.body or {}, path) is not None]
    unknown = tuple(path.removeprefix("properties.") for path in wrote if path not in known)
    changed = [
        item
        for item in _differing(known, found.now, was.body or {})
        if not bodies.untouched(item["now"], item["was"], _at(was.theirs, item["path"]))
    ]
    events = whole.by_log(found.deeds, was, known)
    told = {"changed": changed, "unknown": unknown, "events": events}
    return structs.replace(found, **told, source=was.source, since=was.since)


def _differing(paths: "tuple[str, ...] | list[str]", now: Json, was: Json) -> Iterator[Json]:
    for path in paths:
        old, new = _at(was, path), _at(now, path)
        if old != new:
            yield {"path": path, "now": new, "was": old}


def _change(one: _Written) -> Change:
    names = ", ".join(item["path"].removeprefix("properties.") for item in one.changed)
    shown = [bodies.told(item["was"], item["now"], item["path"].removeprefix("properties.")) for item in one.changed]
    return Change(
        action=RestoreSettings.id,
        resource=one.id.text,
        summary=f"put back {names} of {one.id.type} {one.id.name}",
        reasons=(one.deed.reason, *one.verdict.reasons, *shown, one.source),
        before={
            "version": one.settings.version,
            "method": one.settings.method,
            "settings": one.changed,
            "events": one.events,
        },
        familiarity=one.verdict.familiarity,
    )


def _others(case: Case, recorded: dict[str, list[Recorded]]) -> Iterator[str]:
    """What else the suspects changed, for people to see."""
    lines = []
    for id_, its in recorded.items():
        kind = at.type.lower() if (at := ResourceId.read(id_)) else ""
        watched = _BY_TYPE[kind].paths if kind in _BY_TYPE else ()
        if any(one.made and whole.theirs(case, one) for one in its):
            continue  # what he made is shown as such
        for one in (one for one in its if whole.theirs(case, one)):
            rest = whole.besides(one, kind, watched)
            told = whole.told(rest, most=3)
            if told:
                lines.append(f"{id_}: changed by {one.by} at {utc(one.at)}: {told}")
    yield from lines[:_MOST_SHOWN]
    if len(lines) > _MOST_SHOWN:
        yield f"{len(lines) - _MOST_SHOWN} more changes of the suspects are in Resource Graph's table resourcechanges"


def _who(one: _Written) -> str:
    return f"{one.deed.name or one.deed.caller} at {utc(one.deed.at)}"


def _at(body: Json, path: str) -> Any:
    return bodies.part(body, bodies.path_of(path))


def _approved(now: Json, change: Change) -> bool:
    """Whether all of the settings are what they were in the plan."""
    return all(_at(now, item["path"]) == item["now"] for item in change.before["settings"])


def _restored(now: Json, change: Change) -> bool:
    """Whether all of the settings are what they were before the suspects, and perhaps what Azure adds to that."""
    pairs = [(_at(now, item["path"]), item["was"]) for item in change.before["settings"]]
    return all(is_ == was or (was is not None and bodies.covers(is_, was)) for is_, was in pairs)


async def _write(azure: "Azure", change: Change, now: Json, which: str) -> None:
    """Write these settings alone: by PATCH, or where a type has none, with all else as it is now."""
    body: Json = {}
    if change.before["method"] == "PUT":
        body = definition.essence(now)
    for item in change.before["settings"]:
        value = item[which]
        if change.before["method"] == "PATCH":
            value = _patch(value, _at(now, item["path"]))
            body = _nested(body, bodies.path_of(item["path"]), value)
        else:
            body = bodies.replaced(body, bodies.path_of(item["path"]), value)
    await azure.arm(change.before["method"], change.resource, change.before["version"], body=body)


def _patch(wanted: Any, now: Any) -> Any:
    """What a PATCH takes to make a value of another: with null for what is to go."""
    if isinstance(wanted, dict) and isinstance(now, dict):
        gone = dict.fromkeys(name for name in now if name not in wanted)
        return {**{name: _patch(inner, now.get(name)) for name, inner in wanted.items()}, **gone}
    return wanted


def _nested(body: Json, path: bodies.Path, value: Any) -> Json:
    head, rest = str(path[0]), path[1:]
    return {**body, head: _nested(body.get(head, {}), rest, value) if rest else value}
