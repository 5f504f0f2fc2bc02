import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from responders import locks
from responders.errors import Temporary
from responders.ids import ResourceId, within
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import bodies, definition, former, inventory, taken
from responders.subscriptions.former import Former
from responders.subscriptions.guards import BY_TYPE, KINDS, LOCK, Kind
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

# When each kind has its turn: what is to be deleted, and what is to be written. Others: 0. Locks of the suspects are in
# the way, and those that come back would be; a definition is there for as long as anything uses it.
_TURNS = {
    LOCK: (-3, 3),
    "Microsoft.Authorization/policyDefinitions": (2, -2),
    "Microsoft.Authorization/policySetDefinitions": (1, -1),
}


class _Guard(Struct, frozen=True, kw_only=True):
    """One guard to which a suspect did something."""

    id: ResourceId
    kind: Kind
    deed: Finding
    verdict: Verdict
    now: Json | None
    was: Former
    swept: bool  # whether it went with a resource that this incident deleted
    called: str = ""  # by what people know it, where its name tells them nothing

    @property
    def label(self) -> str:
        if self.called:
            return f"the {self.kind.word} {self.called}"
        of = self.id.names[-2] if len(self.id.names) > 1 else ResourceId.parse(self.id.scope).name
        return f"the {self.kind.word} {self.id.name} of {of}"

    @property
    def perhaps_planted(self) -> bool:
        """Whether nobody can tell if the suspects made it, or changed one that is older than the log."""
        unknown = self.now is not None and not self.was.known and not self.was.before
        return unknown and not self.kind.listed and not self.kind.lasting


class RestoreGuards:
    """Put guards back as they were before the suspects: what watches over a subscription, and what shuts it.

    One that was deleted is made anew, one that was changed gets its former body, and one that was added (an exemption,
    a suppression, a rule that opens a network) is deleted. What it was before is what the Activity Log has of its last
    write before the suspects' first. Where the log has none, and nobody can tell whether the suspects made it, its
    deletion is proposed if all it does is keep others quiet, and else offered by name; of what was there before for
    certain, a person is told. Of role assignments those count that they took away from others: what they gave is the
    business of subscriptions.strip_role_assignments.
    """

    id = "subscriptions.restore_guards"
    permissions = (
        *former.PERMISSIONS,
        *(f"{name}/{verb}" for name in KINDS for verb in ("read", "write")),
        *(f"{name}/delete" for name, kind in KINDS.items() if not kind.lasting),
        *taken.PERMISSIONS,
    )
    reversible = True
    undoes = Undoes(operations=tuple(f"{name}/{verb}" for name in KINDS for verb in ("write", "delete")))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        guards, odd = await _guards(case, azure, subject.id)
        changes, kept, by_hand = list[Change](), list[str](), [_unread(deed) for deed in odd]
        for guard in guards:
            if why := _left_alone(case, guard):
                kept += [f"{guard.label}: {why}"] * (why != _NOTHING)
            elif why := _only_by_hand(guard):
                by_hand.append(why)
            else:
                changes.append(_change(guard))
        changes = _ordered(changes)
        reason = (
            "" if changes else f"Of {len(guards)} guards that the suspects wrote or deleted none is to be put back."
        )
        held = await locks.read(azure, f"/subscriptions/{subject.id}") if changes else []
        gone = {change.resource.lower() for change in changes if change.before["wanted"] is None}
        held = [lock for lock in held if lock["id"].lower() not in gone]
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(_through(change, held) for change in changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        own = [{"id": change.resource}] if ResourceId.parse(change.resource).is_type(LOCK) else []
        async with locks.alone(azure, own):  # else one that is off for a moment, and comes back, would pass for gone
            return await self._apply(change, azure)

    @staticmethod
    async def _apply(change: Change, azure: "Azure") -> Outcome:
        before, now = change.before, await _read(azure, change)
        if _same(now, before["now"]):
            await _write(azure, change, before["wanted"])
            return Outcome(status="done")
        if _reached(now, before):
            await locks.ensure(azure, before["locks"])
            return Outcome(status="already_so", reason="It is as it was before already.")
        return Outcome(status="drifted", reason="It is not what was approved any more.", after=now or {})

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if not _reached(now, change.before) or _same(now, change.before["now"]):
            raise Temporary(f"{change.resource} does not show yet as it was before.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        before, now = change.before, await _read(azure, change)
        if _same(now, before["now"]):
            await locks.ensure(azure, before["locks"])
            return Outcome(status="already_so", reason="It is as it was before this step already.")
        if not _reached(now, before):
            return Outcome(status="failed", reason="Somebody changed it since: put it back by hand, if that is right.")
        await _write(azure, change, before["now"] and definition.essence(before["now"]))
        return Outcome(status="done")


async def _guards(case: Case, azure: "Azure", subscription: str) -> tuple[list[_Guard], list[Finding]]:
    """What the suspects wrote or deleted of these kinds, in the order of their first deeds; apart, with strange ids."""
    first: dict[str, Finding] = {}
    for finding in sorted(case.findings, key=lambda f: f.at):
        kind, _, verb = finding.operation.lower().rpartition("/")
        ours = finding.resource.lower().startswith(f"/subscriptions/{subscription.lower()}/")
        if finding.is_deed and kind in BY_TYPE and verb in {"write", "delete"} and ours:
            first.setdefault(finding.resource.lower(), finding)
    first = {key: f for key, f in first.items() if _sees_to(f)}
    room, at = asyncio.Semaphore(inventory.AT_ONCE), datetime.now(UTC)

    read = [(ResourceId.read(deed.resource), deed) for deed in first.values()]
    deleted = [p["id"] for c in case.done if c.action == "subscriptions.delete_resources" for p in c.before["parts"]]

    async def one(id_: ResourceId, deed: Finding) -> _Guard:
        kind = BY_TYPE[deed.operation.lower().rpartition("/")[0]]
        async with room:
            now = await inventory.read(azure, id_.text, kind.version)
            made = definition.made_at(now) if now else None
            was = taken.shaped(kind, (await former.of(case, azure, subscription, id_.text, at, made)).all_of_it)
        verdict = former.judge(case, deed)
        if kind.taken and was.at and was.at >= case.since and verdict.familiarity == "unfamiliar":
            why = f"but it was given in the window too, {utc(was.at)}: nobody knows whether that was right"
            verdict = Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))
        swept = now is None and any(within(id_.text, thing) for thing in deleted)
        guard = _Guard(id=id_, kind=kind, deed=deed, verdict=verdict, now=now, was=was, swept=swept)
        return structs.replace(guard, verdict=_doubted(guard)) if guard.perhaps_planted else guard

    guards = await asyncio.gather(*(one(id_, deed) for id_, deed in read if id_))
    labels = await taken.labels(
        azure, subscription, {g.id: (g.was.body, g.verdict) for g in guards if g.kind.taken and g.was.body is not None}
    )
    return [structs.replace(g, called=labels.get(g.id.text, "")) for g in guards], [
        deed for id_, deed in read if id_ is None
    ]


def _sees_to(deed: Finding) -> bool:
    """Whether this step sees to what a suspect did first to a thing."""
    kind, _, verb = deed.operation.lower().rpartition("/")
    return verb == "delete" or not BY_TYPE[kind].taken


def _doubted(guard: _Guard) -> Verdict:
    """The verdict on one that is perhaps older: unfamiliar only where nothing is lost with it."""
    why = (
        f"no write of it is in the {guard.was.reach} days before that the log keeps, and Azure does not tell when it "
        "was made: it may be older"
    )
    if guard.verdict.familiarity == "familiar":
        return guard.verdict
    if guard.kind.mutes:
        reasons = (*guard.verdict.reasons, f"{why}; nothing watches less without it")
        return Verdict(familiarity=guard.verdict.familiarity, reasons=reasons)
    first = guard.deed.operation.lower().endswith("/delete")
    lost = ("they had deleted it before: what it was then, nobody knows",) if first else ()
    return Verdict(familiarity="unknown", reasons=(*guard.verdict.reasons, why, *lost))


def _unread(deed: Finding) -> str:
    return (
        f"{deed.name or deed.caller} did {deed.operation} to {deed.resource[:300]!r} at {utc(deed.at)}, "
        "which has a name that is not handled here: whoever answers for it looks whether it is as it should be."
    )


_NOTHING = "it is gone again"


def _left_alone(case: Case, guard: _Guard) -> str:
    """Why nothing is to be done; "" when something is."""
    now, was = guard.now, guard.was
    if guard.verdict.familiarity == "familiar":
        return "; ".join(guard.verdict.reasons)
    holder = case.suspect(taken.holder(was.body))
    if guard.kind.taken and (now is not None or holder):
        return f"it gave rights to {holder.upn or holder.name}, a suspect" if holder else "it is there again"
    if now is None and (guard.swept or (was.known and was.body is None)):
        return _NOTHING
    if was.since:
        return f"{was.since} wrote it again after the suspect: look whether it is as it should be"
    if guard.kind.listed and now is not None and was.known and was.body is None:
        return "a resource that the suspect made: subscriptions.delete_resources sees to it"
    same = now is not None and was.body is not None and bodies.untouched(now, was.body, was.theirs)
    return "it is as it was before" if same else ""


def _only_by_hand(guard: _Guard) -> str:
    who, when = guard.deed.name or guard.deed.caller, utc(guard.deed.at)
    if not guard.was.known and not guard.perhaps_planted:
        wrote = "changed" if guard.now is not None else "written, is gone since,"
        did = "deleted" if guard.now is None and guard.deed.operation.lower().endswith("/delete") else wrote
        there = "" if guard.now is None else f" Now it is {bodies.shown(definition.evidence(_properties(guard.now)))}."
        if guard.kind.listed and guard.now is not None and not guard.was.before:
            there += " If it was made in the window, subscriptions.delete_resources proposes to delete it."
        return (
            f"{guard.label} ({guard.id.text}) was {did} by {who} at {when}, and Azure's log has nothing of what it was "
            f"before.{there} Whoever answers for it puts it back by hand, if it was to stay."
        )
    if definition.hides(definition.evidence([guard.now, guard.was.body])):
        return (
            f"{guard.label} ({guard.id.text}) was changed by {who} at {when}, and holds secrets: put it back by hand."
        )
    return ""


def _change(guard: _Guard) -> Change:
    now, was = guard.now, guard.was
    wanted = was.again(now)
    if now is None:
        how = "make anew"
    elif wanted is None:
        how = "delete"
    else:
        how = "put back as it was"
    old, new = (_properties(body) if body is not None else None for body in (wanted, now))
    shown = bodies.told(old, new, "it") if old is None or new is None else bodies.told(old, new)
    return Change(
        action=RestoreGuards.id,
        resource=guard.id.text,
        summary=f"{how}: {guard.label}",
        reasons=tuple(filter(None, (guard.deed.reason, *guard.verdict.reasons, shown, was.source))),
        before={"version": guard.kind.version, "now": now, "wanted": wanted, "theirs": was.theirs, "locks": []},
        principals=tuple(filter(None, (taken.holder(wanted),))),
        familiarity=guard.verdict.familiarity,
    )


def _through(change: Change, held: Iterable[Json]) -> Change:
    """The change with the locks that have to be off for it: of those above, a delete meets all, a write the strict."""
    _, above = locks.in_the_way(held, [change.resource])
    both = change.before["wanted"] is None or change.before["now"] is None  # one way or back it deletes
    above = [lock for lock in above if both or lock["properties"]["level"] == "ReadOnly"]
    if not above or ResourceId.parse(change.resource).is_type(LOCK):
        return change
    names = ", ".join(locks.label(lock) for lock in above)
    summary = f"{change.summary}; {names}: taken off for that, and put back"
    return structs.replace(change, summary=summary, before={**change.before, "locks": above})


def _ordered(changes: Iterable[Change]) -> list[Change]:
    """Each begins after those whose turn is before its own."""
    turns = sorted(changes, key=_turn)
    return [
        structs.replace(one, follows=tuple(other.resource for other in turns if _turn(other) < _turn(one)))
        for one in turns
    ]


def _turn(change: Change) -> int:
    kind = ResourceId.parse(change.resource).type.lower()
    return next((turns[bool(change.before["wanted"])] for name, turns in _TURNS.items() if name.lower() == kind), 0)


async def _read(azure: "Azure", change: Change) -> Json | None:
    return await inventory.read(azure, change.resource, change.before["version"])


async def _write(azure: "Azure", change: Change, body: Json | None) -> None:
    """Make it so; None: delete it. Locks in the way of that are off meanwhile."""
    held = [lk for lk in change.before["locks"] if body is None or lk["properties"]["level"] == "ReadOnly"]
    off: AbstractAsyncContextManager[None] = locks.lifted(azure, held, []) if held else nullcontext()
    async with off:
        if body is None:
            await azure.arm("DELETE", change.resource, change.before["version"])
        else:
            await azure.arm("PUT", change.resource, change.before["version"], body=body)


def _same(now: Json | None, before: Json | None) -> bool:
    if now is None or before is None:
        return now is before
    return definition.essence(now) == definition.essence(before)


def _reached(now: Json | None, before: Json) -> bool:
    """Whether it is as wanted, and has nothing besides of what the suspects wrote."""
    wanted = before["wanted"]
    if wanted is None or now is None:
        return now is wanted
    return bodies.untouched(now, wanted, before["theirs"])


def _properties(body: Json) -> Any:
    return definition.essence({"type": "", **body}).get("properties", {})
