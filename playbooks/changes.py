"""Making, checking and undoing changes: each once, under guard, with its outcome in the journal."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from responders import approvals, survival
from responders.accounting import Made
from responders.actions import action
from responders.azure import explained
from responders.errors import Permanent, Temporary
from responders.incident import Incident
from responders.model import SETTLED, Change, Json, Outcome, Plan, plain
from responders.protection import protected
from responders.services import Services

if TYPE_CHECKING:
    from responders.claims import Claim

AT_ONCE = 50  # changes under way at a time; their calls wait for Azure's tokens by themselves


async def countersigned(incident: Incident, step: str) -> Plan:
    """What may run at a step: the changes that were approved at its gate, and no others.

    It is worked out from what the journal and the votes say, so that not even a forged order makes anything else run.
    """
    planned = await incident.journal.find(f"planned {step}")
    answer = planned.what["answer"] if planned else {}
    if answer.get("gate") == "auto":
        return await incident.plan(answer["plan"])
    gate = await incident.gate(step)
    decision = approvals.tally(gate, await incident.votes(step))
    if decision.state != "approved" or decision.digest != approvals.selection(gate.plan, decision.changes):
        raise Permanent(f"Nothing was approved at gate {step}. Nothing was changed.")
    return approvals.subset(await incident.plan(gate.plan), decision.changes)


async def apply_all(its: Services, plan: Plan, changes: Iterable[Change], order: Json) -> list[str]:
    """Make changes side by side, those of one resource one after the other, so that none overwrites another.

    One that follows others is begun when those are made, and not while one of them has to be tried again. Those that
    came to an outcome are journalled, and a repeat leaves them out.
    """
    room, alone = asyncio.Semaphore(AT_ONCE), defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def one(change: Change, earlier: list[asyncio.Task[Outcome | Temporary]]) -> Outcome | Temporary:
        for result in await asyncio.gather(*earlier):
            if isinstance(result, Temporary):
                return result
        async with alone[change.resource], room:
            return await _apply(its, plan, change, order)

    tasks: dict[str, asyncio.Task[Outcome | Temporary]] = {}
    under_way: list[asyncio.Task[Outcome | Temporary]] = []
    for change in changes:
        earlier = [tasks[resource] for resource in change.follows if resource in tasks]
        tasks[change.resource] = asyncio.create_task(one(change, earlier))
        under_way.append(tasks[change.resource])
    results = await asyncio.gather(*under_way)
    for result in results:
        if isinstance(result, Temporary):
            raise result
    return [r.status for r in results if isinstance(r, Outcome)]


async def _apply(its: Services, plan: Plan, change: Change, order: Json) -> Outcome | Temporary:
    incident, key = its.incident(order["incident"]), f"applied {order['step']} {change.id}"
    if (entry := await incident.journal.find(key)) is not None:
        return Outcome(status=entry.what["status"], reason=entry.what["reason"])
    begun = f"begun {order['step']} {change.id}"
    before = await incident.journal.find(begun)
    claim: Claim | None = None
    try:
        with explained(change.summary):
            await _guard(its, plan, change)
            case, name = await incident.case(order["case"]), f"{incident.id} {order['step']} {change.id}"
            why, claim = await survival.take(case, change, its.azure, plan.changes, its.claims, name, _at(order))
            if why:
                raise Permanent(f"Not done: {why}.")
            if before is None:
                what = {"step": order["step"], "change": change.id, "summary": change.summary}
                await incident.journal.append("begun", what, by="countersign", at=_at(order), key=begun)
            outcome = await action(change.action).apply(change, its.azure)
        if before is not None and outcome.status == "already_so":
            # Else nobody would know that it was us, and undo would leave it so.
            lost = f"An earlier attempt did it, and its answer was lost. {outcome.reason}"
            outcome = Outcome(status="done", reason=lost)
    except Permanent as error:
        outcome = Outcome(status="failed", reason=str(error))
    except Temporary as error:
        return error  # the others of the batch go on; the engine then tries this one again
    if claim is not None and outcome.status not in SETTLED:
        await its.claims.release(claim, _at(order))
    await _note(incident, "applied", change, outcome, order, key)
    return outcome


async def verify_all(its: Services, changes: Iterable[Change], order: Json) -> list[str]:
    """Read changes again that were made. Raises Temporary while one does not show."""
    incident = its.incident(order["incident"])
    made = [c for c in changes if await _status(incident, f"applied {order['step']} {c.id}") in SETTLED]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(change: Change) -> Outcome | Temporary:
        async with room:
            try:
                with explained(f"reading again after: {change.summary}"):
                    return await action(change.action).verify(change, its.azure)
            except Temporary as error:
                return error
            except Permanent as error:
                return Outcome(status="unverified", reason=str(error))

    results = await asyncio.gather(*(one(change) for change in made))
    for result in results:
        if isinstance(result, Temporary):
            raise result
    outcomes = [r for r in results if isinstance(r, Outcome)]
    what = {"step": order["step"], "action": order["action"]}
    what["changes"] = {c.id: plain(o) for c, o in zip(made, outcomes, strict=True)}
    key = f"verified {order['step']} {order['start']}"
    await incident.journal.append("verified", what, by="countersign", at=_at(order), key=key)
    return [outcome.status for outcome in outcomes]


async def undo_one(its: Services, plan: Plan, change: Change, order: Json) -> str:
    """Undo one change, unless that is done already."""
    incident, key = its.incident(order["incident"]), f"undone {order['step']} {change.id}"
    if (status := await _status(incident, key)) is not None:
        return status
    try:
        with explained(f"undoing: {change.summary}"):
            await _guard(its, plan, change)
            undo = action(change.action).undo
            outcome = await undo(change, its.azure)
            # Undoing again finds it so, once it shows.
            if outcome.status == "done" and (await undo(change, its.azure)).status != "already_so":
                raise Temporary(f"It was put back, and does not show yet: {change.summary}")
    except Permanent as error:
        outcome = Outcome(status="failed", reason=str(error))
    if outcome.status in SETTLED:
        await survival.give_back(change, its.azure, its.claims, incident.id, _at(order))
    await _note(incident, "undone_change", change, outcome, order, key)
    return outcome.status


async def made(incident: Incident, subject: str = "") -> tuple[Change, ...]:
    """The changes of all runs that came to their end and were not undone; with a subject's id, those for it."""
    return (await tried(incident, subject))[0]


async def tried(incident: Incident, subject: str = "") -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """The same; and those that failed, and were not made since."""
    done, failed = await _tried(incident, subject)
    return tuple(change for change, _ in done), tuple(change for change, _ in failed)


async def accountable(incident: Incident) -> tuple[Made, ...]:
    """The same changes, each with what it undoes, and with what was known when it was planned."""
    found, _ = await _tried(incident)
    cases = {name: await incident.case(name) for name in dict.fromkeys(name for _, name in found) if name}
    seen = {name: frozenset(event for f in case.findings for event in f.events) for name, case in cases.items()}
    return tuple(
        Made(change=change, undoes=action(change.action).undoes, seen=seen[name], until=cases[name].until)
        for change, name in found
        if name
    )


async def _tried(incident: Incident, subject: str = "") -> tuple[list[tuple[Change, str]], list[tuple[Change, str]]]:
    """Those that were made, and those that failed, each with the name of the case that it was last planned on.

    "" where an older version planned.
    """
    planned: dict[str, tuple[str, str]] = {}  # step: plan, case
    made: dict[str, tuple[str, str]] = {}  # change: plan, case
    failed: dict[str, tuple[str, str]] = {}
    for entry in await incident.journal.entries():
        if entry.kind == "planned" and subject in {"", entry.what["subject"]["id"]}:
            planned[entry.what["step"]] = entry.what["answer"]["plan"], entry.what.get("case", "")
        elif entry.kind == "applied" and entry.what["step"] in planned:
            change, status = entry.what["change"], entry.what["status"]
            if status in SETTLED:
                made[change] = planned[entry.what["step"]]
                failed.pop(change, None)
            elif status == "failed":
                failed[change] = planned[entry.what["step"]]
        elif entry.kind == "undone_change" and entry.what["status"] in SETTLED:
            made.pop(entry.what["change"], None)
    plans = {
        name: await incident.plan(name) for name in dict.fromkeys(p for p, _ in (*made.values(), *failed.values()))
    }
    changes = {change.id: change for plan in plans.values() for change in plan.changes}
    done, refused = ([(changes[id_], case) for id_, (_, case) in found.items()] for found in (made, failed))
    return done, refused


async def undoable(incident: Incident) -> tuple[Change, ...]:
    """What was done in this incident and not undone yet, newest first; of irreversible actions nothing."""
    steps: dict[str, Plan] = {}
    done: dict[str, Change] = {}
    for entry in await incident.journal.entries():
        step = entry.what.get("step", "")
        if entry.kind == "applied" and step not in steps:
            steps[step] = await countersigned(incident, step)
        if entry.kind == "applied" and entry.what["status"] == "done":
            change = next(c for c in steps[step].changes if c.id == entry.what["change"])
            if action(change.action).reversible:
                done[change.id] = change
        elif entry.kind == "undone_change" and entry.what["status"] in SETTLED:
            done.pop(entry.what["change"], None)
    return tuple(reversed(done.values()))


async def _guard(its: Services, plan: Plan, change: Change) -> None:
    """Protection is checked again before each change, since settings may have changed since the plan."""
    if why := protected(change, plan.subject, await its.guarded(), await its.azure.own_id()):
        raise Permanent(f"Not done: {why}.")


async def _status(incident: Incident, key: str) -> str | None:
    entry = await incident.journal.find(key)
    return None if entry is None else str(entry.what["status"])


async def _note(incident: Incident, kind: str, change: Change, outcome: Outcome, order: Json, key: str) -> None:
    what = {"step": order["step"], "action": change.action, "change": change.id, "resource": change.resource}
    what |= {"summary": change.summary, "status": outcome.status, "reason": outcome.reason}
    if outcome.status == "done" and outcome.after:
        what["after"] = outcome.after  # what it was at the end, where that is not what the plan has as evidence
    await incident.journal.append(kind, what, by="countersign", at=_at(order), key=key)


def _at(order: Json) -> datetime:
    return datetime.fromisoformat(order["at"])
