"""The activities of an incident as a whole."""

from collections.abc import Iterable
from datetime import datetime

from playbooks import dispatch, joining, known, wording
from playbooks.case import build
from playbooks.step import Step
from responders import defender, notify, owners, related, report
from responders.approvals import Question
from responders.azure import explained
from responders.errors import Permanent, Temporary
from responders.incident import Incident
from responders.investigation import accomplices, everywhere, scope
from responders.model import Case, Json, digest, plain
from responders.services import Services

US = "countersign"


async def examine(order: Json, its: Services) -> Json:
    """Read the alert again at Defender, and find out whom it concerns. {"result": ""} means: go on."""
    incident, at = its.incident(order["incident"]), at_of(order)
    if await incident.journal.find(f"closed {order['run']}") is not None:
        return {"result": "known", "reason": "This run has ended before."}
    if order["run"] == f"{incident.id}-own" and not await joining.relies(incident):
        return {"result": "known", "reason": "It did not join after all, and has a run of its own."}
    received = await incident.received()
    what = {"alert": received.id or received.name, "type": received.type, "title": received.title, "run": order["run"]}
    await incident.journal.append("alert", what, by=order["by"] or US, at=at, key=f"alert {order['run']}")
    # One that came without its id was looked up when it came; perhaps Defender did not list it yet.
    id_ = received.id or await defender.find(its.azure, received.subscription, received.name)
    alert = await defender.read(its.azure, id_) if id_ else None
    if alert is None:
        named = id_ or f"{received.name} in subscription {received.subscription}"
        raise Temporary(f"Defender knows no alert {named}: forged, or not there yet. Not acted on.")
    case = await build(its, incident.id, alert, at)
    await incident.save_case(order["run"], case)
    result, reason = "", ""
    if alert.sample:  # as Defender has it: what was delivered could be a forgery that hides a real alert
        result, reason = "sample", "A sample alert of Defender's: a drill. Nothing is done."
    elif alert.status == "Dismissed":
        result, reason = "dismissed", "The alert has been dismissed in Defender already. Nothing is done."
    elif order["run"] == incident.id and (first := await joining.first_of_root_cause(its, case)) != incident.id:
        result, reason = "joined", f"It has the root cause of incident {first}, and is handled there."
    what = {"suspects": plain(case.suspects), "subscription": case.subscription, "since": plain(case.since)}
    what |= {"severity": alert.severity, "result": result, "reason": reason}
    await incident.journal.append("examined", what, by=US, at=at, key=f"examined {order['run']}")
    return {"result": result, "reason": reason}


async def ask(order: Json, its: Services) -> Json:
    """Ask the owner whether what happened was expected."""
    incident, at, run = its.incident(order["incident"]), at_of(order), order["run"]
    if await incident.journal.find(f"asked {run}") is None:
        case = await joining.widened(its, await incident.case(run), at)
        state = await _set_alert(its, case.alert.id, "InProgress")
        found = await owners.find(its.azure, case.having(until=at), its.settings)
        question = Question(
            id=run,
            text=wording.question(case),
            asked=tuple(owner.person.id for owner in found.owners),
            suspects=tuple(s.id.lower() for s in case.suspects if s.id),
            expires=at + its.settings.owner_wait,
            covers=tuple(alert.id for alert in case.joined),
            things=await known.things(its.azure, case, found.given),
        )
        await incident.ask(question)
        told = await _tell(its, incident.id, await incident.question(run), found.owners)
        what = {"question": run, "text": question.text, "told": told, "alert": state, "notes": list(found.notes)}
        what |= {"owners": [o.person.name for o in found.owners], "why": [o.why for o in found.owners]}
        what |= {"expires": plain(question.expires), "things": question.things}
        await incident.journal.append("asked", what, by=US, at=at, key=f"asked {run}")
    question = await incident.question(run)
    return {"expires": question.expires.isoformat()}


async def hear(order: Json, its: Services) -> Json:
    """What the owner answered: expected, unexpected, or silence."""
    incident, at = its.incident(order["incident"]), at_of(order)
    question = await incident.question(order["run"])
    answer = await incident.answer(question.id)
    if answer is None and at < question.expires and not order.get("last"):
        return {"answer": "silence"}
    said = "silence" if answer is None else "expected" if answer.expected else "unexpected"
    what: Json = {"question": question.id, "answer": said, "reason": answer.reason if answer else ""}
    what |= {"known": list(answer.known) if answer else []}
    by = answer.by.name or answer.by.id if answer else "nobody"
    await incident.journal.append("answered", what, by=by, at=at, key=f"answered {question.id}")
    return {"answer": said}


async def contain(order: Json, its: Services) -> Json:
    """Whom the alert names, with the steps that stop them and that the deployment lets run unasked."""
    case = await its.incident(order["incident"]).case(order["run"])
    subjects = []
    for subject in dispatch.subjects(case):
        steps = [
            s for s in dispatch.PLAYBOOKS[subject.kind] if s.contains and its.settings.gates.get(s.action) == "auto"
        ]
        if steps:
            subjects.append({"case": order["run"], "subject": plain(subject), "steps": _ordered(steps)})
    return {"subjects": subjects}


async def investigate(order: Json, its: Services) -> Json:
    """Find what the suspects did, and whom and what they touched that no playbook has had yet in this run."""
    incident, at, name = its.incident(order["incident"]), at_of(order), f"{order['run']}-{order['wave']}"
    case = await incident.case(order["run"])
    others, by_hand = await _others(its, case.having(until=at))
    await joining.take_in(its, incident, [other.id for other in others if other.joins])
    case = await joining.widened(its, case, at)
    case = known.said(case, await incident.answer(order["run"]))
    case, unknown = await _looked_into(its, case, at)
    by_hand += unknown
    done = {
        subject["id"].lower()
        for entry in await incident.journal.entries()
        if entry.kind == "investigated" and entry.what["run"] == order["run"] and entry.what["case"] != name
        for subject in entry.what["subjects"]
    }
    fresh = [s for s in dispatch.subjects(case) if s.id.lower() not in done]
    by_hand += dispatch.by_hand(case)
    await incident.save_case(name, case)
    what = {"run": order["run"], "case": name, "subjects": plain(fresh), "findings": len(case.findings)}
    what |= {"by_hand": by_hand, "others": plain(others)}
    await incident.journal.append("investigated", what, by=US, at=at, key=f"investigated {name}")
    subjects = [{"case": name, "subject": plain(s), "steps": _ordered(dispatch.PLAYBOOKS[s.kind])} for s in fresh]
    return {"subjects": subjects, "by_hand": len(by_hand), "joined": len(case.joined)}


async def _looked_into(its: Services, case: Case, at: datetime) -> tuple[Case, tuple[str, ...]]:
    """The case with whom and what it is about and its findings; and what a person has to look at."""
    wide, unknown = await scope.widen(its.azure, case)
    looked, unread = await everywhere.look(its.azure, its.settings, wide, now=at)
    if more := await accomplices.found(its.azure, looked):
        return await _looked_into(its, case.having(suspects=(*case.suspects, *more)), at)
    return looked, (*unknown, *unread)


def _ordered(steps: Iterable[Step]) -> list[Json]:
    """Steps as the engine's orders hold them."""
    return [{"action": step.action, "last": step.last, "hours": step.hours} for step in steps]


async def close(order: Json, its: Services) -> Json:
    """Set the alerts' state, write the report, and end the run. {"again": true} when another alert joined meanwhile."""
    incident, at, result = its.incident(order["incident"]), at_of(order), order["result"]
    joined = await joining.joined(its, incident)
    if len(joined) > order.get("joined", len(joined)) and not await incident.journal.find(f"closed {order['run']}"):
        return {"again": True}
    what: Json = {"result": result, "reason": order["reason"], "run": order["run"]}
    if result in {"dismissed", "resolved"}:
        alert = (await incident.case(order["run"])).alert
        state = result.capitalize()
        if result == "dismissed":
            joined = list(await _covered(incident, order["run"]))
        what["alerts"] = {id_: await _set_alert(its, id_, state) for id_ in (alert.id, *joined)}
        if unset := [said for said in what["alerts"].values() if said != state]:
            what |= {"result": "unfinished", "reason": "; ".join([*filter(None, [what["reason"]]), *unset])}
    await incident.journal.append("closed", what, by=US, at=at, key=f"closed {order['run']}")
    others = await joining.joiners(its, incident, joined) if result == "dismissed" else []
    return {"report": await report.write(incident, order["run"]), "others": others}


async def _covered(incident: Incident, run: str) -> tuple[str, ...]:
    """The joined alerts that the owner was asked about too; none where nobody was asked."""
    asked = await incident.journal.find(f"asked {run}")
    return (await incident.question(run)).covers if asked else ()


async def _others(its: Services, case: Case) -> tuple[tuple[related.Related, ...], list[str]]:
    """The other alerts of the subscription; and what a person has to do when they can't be read."""
    try:
        with explained("reading the other alerts of the subscription"):
            return await related.review(its.azure, case), []
    except Permanent as error:
        return (), [f"{error} Look at the other alerts of subscription {case.subscription} in the portal."]


async def _tell(its: Services, incident: str, question: Question, asked: tuple[owners.Owner, ...]) -> str:
    """Tell each owner, and the channels. Returns what came of it."""
    told = []
    for owner in asked:
        text = wording.mail_to_owner(its.settings, incident, question, owner)
        told.append(await notify.mail(its.azure, its.settings, [owner.person.address], *text))
    names = ", ".join(owner.person.name for owner in asked) or "nobody could be found"
    text = wording.mail(its.settings, incident, f"{question.text}\n\nAsked: {names}.")
    return "; ".join(filter(None, [*(told or ["nobody to tell"]), await notify.channels(its.settings, *text)]))


async def record_failure(order: Json, its: Services) -> Json:
    """Journal that an activity came to nothing."""
    incident = its.incident(order["incident"])
    # The engine adds where in the code it was raised: no news to whoever reads what it means for the incident.
    reason = order["text"].partition("Traceback (most recent call last)")[0].strip()
    what = {"activity": order["activity"], "reason": reason, "step": order.get("step", order["run"])}
    what |= {part: order[part] for part in ("action", "subject") if part in order}
    key = digest([what, order.get("start")])
    await incident.journal.append("failed", what, by=US, at=at_of(order), key=f"failed {key}")
    return {}


async def _set_alert(its: Services, id_: str, state: str) -> str:
    """Set an alert's state. That it can't be set is no reason to stop, and is said."""
    try:
        with explained(f"setting {id_} to {state}"):
            await defender.set_state(its.azure, id_, state)
    except Permanent as error:
        return f"not set to {state}: {error}"
    return state


def at_of(order: Json) -> datetime:
    """When the engine gave the order."""
    return datetime.fromisoformat(order["at"])
