import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders.errors import Permanent, Temporary
from responders.ids import ResourceId, within
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import former, inventory, written
from responders.subscriptions.draft import Draft
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.investigation.activity import Activity
    from responders.model import Subject

_RIGHT = f"{inventory.GROUPS}/moveResources/action"
_MOVE = _RIGHT.lower()
_DO = (
    "An Owner of both groups moves it back, and runs the incident again: what was done to it before is looked for "
    "under its former id."
)


class _Thing(Struct, frozen=True):
    """One resource that was moved."""

    old: ResourceId
    new: ResourceId
    version: str  # of its API

    def told(self) -> Json:
        return {"old": self.old.text, "new": self.new.text, "version": self.version}


class _Move(Struct, frozen=True, kw_only=True):
    """One move, out of a group and into another."""

    target: ResourceId
    things: list[_Thing]
    at: datetime
    events: list[str]


class MoveBack:
    """Move resources back that a suspect moved into another group, so that all other steps find them by their names.

    A resource that is moved gets another id, with all beneath it: what was planted there before looks as if it was
    gone. What was moved is what the Activity Log has of the request. What went to a subscription that is not guarded
    is for a person. POST .../moveResources, api-version 2021-04-01; Azure may take hours, and locks both groups
    meanwhile.
    """

    id = "subscriptions.move_back"
    permissions = ("*/read", _RIGHT, f"{inventory.GROUPS}/write")
    reversible = True
    undoes = Undoes(events="events")

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        draft, homes = Draft(), _deeds(case, subject.id)
        await asyncio.gather(*(_look(case, azure, home, deeds, draft) for home, deeds in homes.values()))
        return draft.plan(self.id, subject, f"Of what the suspects moved out of {len(homes)} groups nothing goes back.")

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await _go(azure, change, "new", "old")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _there(azure, change, "new") or len(await _there(azure, change, "old")) < len(_all(change)):
            raise Temporary(f"Azure still moves: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        outcome = await _go(azure, change, "old", "new")
        if outcome.status == "done" and len(await _there(azure, change, "new")) < len(_all(change)):
            raise Temporary(f"Azure moves it again, to where it was before: {change.resource}.")
        return outcome


def _deeds(case: Case, subscription: str) -> dict[str, tuple[ResourceId, list[Finding]]]:
    """The moves of suspects by the group that they moved things out of, first ones first.

    Azure may log a move of the group, and of each thing that is moved.
    """
    found: dict[str, tuple[ResourceId, list[Finding]]] = {}
    for deed in sorted(case.findings, key=lambda f: f.at):
        head = ResourceId.read("/".join(deed.resource.split("/")[:5]))
        if not deed.is_deed or deed.operation.lower() != _MOVE or head is None or not head.group:
            continue
        if head.subscription == subscription.lower():
            found.setdefault(head.key, (head, []))[1].append(deed)
    return found


async def _look(case: Case, azure: "Azure", home: ResourceId, deeds: list[Finding], draft: Draft) -> None:
    first = deeds[0]
    verdict, who = former.judge(case, first), f"{first.name or first.caller} at {utc(first.at)}"
    if verdict.familiarity == "familiar":
        draft.kept.append(f"what was moved out of {home.text} by {who}: {'; '.join(verdict.reasons)}")
        return
    moves = await _moves(case, azure, home)
    if not moves or None in moves:
        draft.by_hand.append(f"{who} moved things out of {home.text}; Azure's log does not tell which, or where. {_DO}")
    for move in filter(None, moves):
        if move.target.subscription not in azure.settings.subscriptions:
            names = ", ".join(one.old.text for one in move.things)
            draft.by_hand.append(f"{who} moved {names} to {move.target.text}, which is not guarded here. {_DO}")
            continue
        there = await asyncio.gather(*(inventory.read(azure, one.new.text, one.version) for one in move.things))
        present = [one for one, body in zip(move.things, there, strict=True) if body is not None]
        draft.kept += [
            f"{one.old.text}, which was moved by {who}, is not at {one.new.text} any more"
            for one in move.things
            if one not in present
        ]
        draft.by_hand += [line for one in present for line in _since(case, one, move.at)]
        if present:
            events = [*move.events, *(event for deed in deeds for event in deed.events)]
            draft.changes.append(_change(home, move, present, first, verdict, events))


def _since(case: Case, one: _Thing, at: datetime) -> Iterator[str]:
    """What is not looked for by any step: what was done to it where it was meanwhile."""
    later = (f for f in case.findings if f.is_deed and f.at > at and within(f.resource, one.new.text))
    if deed := next((f for f in later if f.operation.lower() != _MOVE), None):
        yield (
            f"{one.new.text} was changed by the suspect after he had moved it ({deed.reason}, {utc(deed.at)}): whoever "
            f"answers for it looks through it, where it is again: {one.old.text}."
        )


def _change(
    home: ResourceId, move: _Move, present: list[_Thing], deed: Finding, verdict: Verdict, events: list[str]
) -> Change:
    names = ", ".join(f"{one.old.type} {one.old.name}" for one in present)
    return Change(
        action=MoveBack.id,
        resource=home.text,
        summary=f"move {names} back from {move.target.group} to {home.group}",
        reasons=(deed.reason, *verdict.reasons, "what was done to it before is looked for under its former id"),
        before={
            "groups": {"old": home.text, "new": move.target.text},
            "resources": [one.told() for one in present],
            "events": list(dict.fromkeys(events)),
        },
        lasting="Role assignments on what was moved were lost when it was moved first, and are not put back.",
        familiarity=verdict.familiarity,
    )


async def _moves(case: Case, azure: "Azure", home: ResourceId) -> list[_Move | None]:
    """The moves of suspects as the log has them; None for one that it does not tell, or that can't be read."""
    now = datetime.now(UTC)
    history = await written.history(azure, home.subscription, home.text, now, now)
    theirs = (
        one
        for one in history.done
        if one.operation == _MOVE and one.outcome != "failed" and one.at >= case.since
        if case.suspect(one.oid, one.at) or case.suspect(one.caller, one.at)
    )
    return [await _read(azure, home, one) for one in theirs]


async def _read(azure: "Azure", home: ResourceId, one: "Activity") -> _Move | None:
    target, named = ResourceId.read(str(one.request.get("targetResourceGroup"))), one.request.get("resources")
    ids = [ResourceId.read(str(text)) for text in named] if isinstance(named, list) else []
    if target is None or not target.group or target.type or not ids:
        return None
    things = []
    for old in ids:
        if old is None or not old.type or not within(old.text, home.text):
            return None
        new = ResourceId.read(target.text + old.text[len(home.text) :])
        try:
            version = await inventory.version(azure, old)
        except Permanent:
            return None
        if new is None:
            return None
        things.append(_Thing(old, new, version))
    return _Move(target=target, things=things, at=one.at, events=list(one.events))


def _all(change: Change) -> list[Json]:
    found: list[Json] = change.before["resources"]
    return found


async def _there(azure: "Azure", change: Change, which: str) -> list[str]:
    """The ids of those that are there."""
    bodies = await asyncio.gather(*(inventory.read(azure, one[which], one["version"]) for one in _all(change)))
    return [one[which] for one, body in zip(_all(change), bodies, strict=True) if body is not None]


async def _go(azure: "Azure", change: Change, out: str, to: str) -> Outcome:
    """Move what is not there yet. Azure refuses for as long as another move of these groups goes on."""
    away, home = await asyncio.gather(_there(azure, change, out), _there(azure, change, to))
    if not away and len(home) == len(_all(change)):
        return Outcome(status="already_so", reason="All of it is there.")
    if len(away) + len(home) < len(_all(change)):
        return Outcome(status="drifted", reason="Some of it is neither here nor there any more.")
    groups = change.before["groups"]
    body = {"resources": away, "targetResourceGroup": groups[to]}
    await azure.arm("POST", f"{groups[out]}/moveResources", inventory.VERSION, body=body)
    return Outcome(status="done", reason="Azure has begun to move it.")
