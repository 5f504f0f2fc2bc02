"""The HTTP API: what people and Logic Apps ask of the responder. Each answer is JSON, each refusal a problem document.

Nothing here changes Azure: it starts runs, keeps answers, and wakes the run that waits for them.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from responders import approvals, incident, intake
from responders.approvals import Answer, Person, Vote
from responders.errors import Permanent, Refused, Temporary
from responders.incident import Incident
from responders.model import Json, digest
from responders.services import Services, now
from responders.view import summary, view
from responders.web.sign_in import require

BAD_REQUEST, NOT_FOUND = 400, 404
_READERS = ("Reader", "Owner", "Approver")


class Engine(Protocol):
    """What is asked of Durable Functions."""

    async def start(self, orchestrator: str, instance: str, order: Json) -> bool:
        """Start an instance. False when one of that id is there, in whatever state."""

    async def wake(self, instance: str, event: str) -> None:
        """Raise an event. One for an instance that has ended is no error."""


class _Answer(Struct, forbid_unknown_fields=True):
    expected: bool
    reason: str = ""


class _Vote(Struct, forbid_unknown_fields=True):
    gate: str
    decision: Literal["approve", "reject"]
    digest: str = ""
    changes: list[str] | None = None
    reason: str = ""


class _Reason(Struct, forbid_unknown_fields=True):
    reason: str = ""


async def alerts(body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """An alert from a Logic App, or by hand: whole, or only its Resource Manager id."""
    require(who, "Sender", "Approver")
    by_hand = "" if "Sender" in who.roles else who.id
    return 202, {"incidents": await intake.take(body, its, engine, by=by_hand)}


async def listing(who: Person, its: Services) -> tuple[int, Json]:
    """All incidents, the newest first."""
    require(who, *_READERS)
    ids = await incident.known(its.evidence)
    return 200, {"incidents": [await summary(its.incident(id_)) for id_ in reversed(ids)]}


async def show(id_: str, who: Person, its: Services) -> tuple[int, Json]:
    """One incident: what is asked, what waits for approval, what was done."""
    which = await _known(id_, its)
    if who.id not in await _asked(which):  # an owner who was asked may read what about
        require(who, *_READERS)
    return 200, await view(which)


async def rerun(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """Run a finished incident again."""
    require(who, "Approver")
    which = await _known(id_, its)
    if (await view(which))["status"] != "closed":
        raise Refused(f"Incident {id_} is still running; it can be run again when it has closed.")
    return 202, {"run": await _another(which, "incident", "r", body, who, its, engine)}


async def undo(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """Put back what an incident changed, after somebody else's approval."""
    require(who, "Approver")
    which = await _known(id_, its)
    if (await view(which))["status"] != "closed":
        raise Refused(f"Incident {id_} is still running; it can be undone when it has closed.")
    return 202, {"undo": await _another(which, "undo", "u", body, who, its, engine)}


async def answer(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """The owner's answer: expected, or not."""
    which = await _known(id_, its)
    said = _decode(body, _Answer)
    entries = await which.journal.entries()
    asked = [e.what["question"] for e in entries if e.kind == "asked"]
    done = {e.what["question"] for e in entries if e.kind == "answered"}
    if not asked or asked[-1] in done:
        raise Refused(f"Nothing is asked of an owner in incident {id_} now.")
    question = await which.question(asked[-1])
    try:
        approvals.check_answer(question, who, now())
        given = Answer(by=who, at=now(), expected=said.expected, reason=said.reason[:2000])
        if not await which.give_answer(question.id, given):
            # Perhaps the answer was kept and the wake-up was lost: another one does no harm.
            await engine.wake(question.id, f"answer-{question.id}")
            raise Refused("The question has been answered already, and the first answer stands.")
    except Refused as error:
        await _note_refusal(which, who, {"question": question.id, "why": str(error)})
        raise
    await engine.wake(question.id, f"answer-{question.id}")
    return 202, {"incident": id_, "expected": said.expected}


async def approve(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """An approver's answer to one gate: approve exactly these changes, or reject the plan."""
    require(who, *_READERS)
    which = await _known(id_, its)
    said = _decode(body, _Vote)
    gate = await which.gate(said.gate)
    earlier = await which.votes(gate.id)
    vote = Vote(
        by=who,
        at=now(),
        decision=said.decision,
        digest=said.digest,
        changes=tuple(sorted(said.changes or ())),
        reason=said.reason[:2000],
    )
    try:
        if said.changes == []:
            raise Refused("No change was chosen. To approve none, reject the plan.")
        if await which.journal.find(f"decided {gate.id}") is not None:
            raise Refused(f"Gate {gate.id} is closed. Read the incident to see how it was decided.")
        approvals.check_vote(gate, await which.plan(gate.plan), vote, earlier)
        if not await which.vote(gate.id, vote):
            raise Refused("You have answered this gate already, and the first answer stands.")
    except Refused as error:
        if approvals.tally(gate, await which.votes(gate.id)).state != "open":
            await engine.wake(_instance(gate.id), f"approval-{gate.id}")
        await _note_refusal(which, who, {"gate": gate.id, "why": str(error)})
        raise
    what = {"gate": gate.id, "decision": vote.decision, "digest": vote.digest, "changes": list(vote.changes)}
    what["reason"] = vote.reason
    await which.journal.append("voted", what, by=who.name, at=vote.at, key=f"voted {gate.id} {who.id}")
    decision = approvals.tally(gate, await which.votes(gate.id))
    if decision.state != "open":
        await engine.wake(_instance(gate.id), f"approval-{gate.id}")
    return 202, {"incident": id_, "gate": gate.id, "state": decision.state, "needs": gate.needs}


def problem(error: Permanent | Temporary) -> tuple[int, Json]:
    """A refusal as a problem document (RFC 9457)."""
    status = error.status if isinstance(error, Refused) else 503 if isinstance(error, Temporary) else BAD_REQUEST
    return status, {
        "type": "about:blank",
        "status": status,
        "title": _TITLES.get(status, "Refused"),
        "detail": str(error),
    }


_TITLES: Mapping[int, str] = {
    400: "Not understood",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    503: "Not available now",
}


async def _asked(which: Incident) -> set[str]:
    """The object ids of the owners whom the incident asked."""
    runs = [e.what["question"] for e in await which.journal.entries() if e.kind == "asked"]
    return {id_ for run in runs for id_ in (await which.question(run)).asked}


async def _known(id_: str, its: Services) -> Incident:
    if not (len(id_) == 20 and all(c in "0123456789abcdef" for c in id_)):  # noqa: PLR2004
        raise Refused(f"{id_[:40]!r} is not the id of an incident.", NOT_FOUND)
    which = its.incident(id_)
    await which.received()
    return which


async def _another(
    which: Incident, orchestrator: str, letter: str, body: bytes, who: Person, its: Services, engine: Engine
) -> str:
    reason = _decode(body, _Reason).reason[:2000] if body.strip() else ""
    n = 1
    order = {"incident": which.id, "by": who.id, "reason": reason}
    while not await its.evidence.create(which.path("runs", f"{letter}{n}.json"), order):
        n += 1
    instance = f"{which.id}-{letter}{n}"
    await engine.start(orchestrator, instance, order)
    await which.journal.append("asked_again", {"run": instance, "reason": reason}, by=who.name, at=now(), key=instance)
    return instance


async def _note_refusal(which: Incident, who: Person, what: Json) -> None:
    await which.journal.append("refused", what, by=who.name, at=now(), key=f"refused {who.id} {digest(what)}")


def _instance(gate: str) -> str:
    """The orchestration that waits at a gate: <instance>-<step>-<attempt>; of an undo, the gate's own id."""
    return gate if gate.rsplit("-", 1)[-1].startswith("u") else gate.rsplit("-", 2)[0]


def _decode(body: bytes, type_: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Permanent(f"The body was not understood: {error}. Nothing was done.") from error
