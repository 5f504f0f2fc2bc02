"""The HTTP API: what people and Logic Apps ask of the responder. Each answer is JSON, each refusal a problem document.

Nothing here changes Azure: it starts runs, keeps answers, and wakes the run that waits for them.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from responders import approvals, incident, intake
from responders.approvals import Answer, Decision, GateRecord, Person, Question, Vote
from responders.engine import Engine
from responders.errors import Permanent, Refused, Temporary
from responders.ids import MAX_LENGTH
from responders.incident import Incident
from responders.model import Json, digest
from responders.services import Services, now
from responders.view import summary, view
from responders.web.sign_in import require

BAD_REQUEST, NOT_FOUND = 400, 404
_READERS = ("Reader", "Owner", "Approver")
_GATE = re.compile(r"[0-9a-f]{20}(-[0-9a-z]{1,10}){1,6}")


_Digest = Annotated[str, Meta(max_length=64)]


class _Answer(Struct, forbid_unknown_fields=True):
    expected: bool
    reason: str = ""
    known: Annotated[list[Annotated[str, Meta(max_length=MAX_LENGTH)]], Meta(max_length=approvals.MOST_KNOWN)] = []


class _Vote(Struct, forbid_unknown_fields=True):
    gate: str
    decision: Literal["approve", "reject"]
    digest: _Digest = ""
    changes: list[_Digest] | None = None
    reason: str = ""


class _Reason(Struct, forbid_unknown_fields=True):
    reason: str = ""


async def alerts(body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """An alert from a Logic App, or by hand: whole, or only its Resource Manager id."""
    require(who, "Sender", "Approver")
    # Whoever could countersign the response has asked for it, whatever else he is.
    by_hand = who.id if "Approver" in who.roles else ""
    return 202, {"incidents": await intake.take(body, its, engine, by=by_hand)}


async def listing(who: Person, its: Services) -> tuple[int, Json]:
    """All incidents, the newest first."""
    require(who, *_READERS)
    found = [await summary(its.incident(id_)) for id_ in await incident.known(its.evidence)]
    return 200, {"incidents": sorted(found, key=lambda one: str(one["started"]), reverse=True)}


async def show(id_: str, who: Person, its: Services) -> tuple[int, Json]:
    """One incident: what is asked, what waits for approval, what was done."""
    which = await known(id_, its)
    if who.id not in await _asked(which):  # an owner who was asked may read what about
        require(who, *_READERS)
    return 200, await view(which)


async def rerun(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """Run a finished incident again."""
    which = await known(id_, its)
    async with noted(which, who, "rerun"):
        require(who, "Approver")
        seen = await view(which)
        # One that has closed may be forgotten by the engine: it would be taken for one that broke.
        if seen["status"] != "closed" and await engine.start("incident", seen["run"], {"incident": id_, "by": who.id}):
            return 202, {"run": seen["run"]}  # it had broken, and goes on
        seen = await _closed(which, "run again")
        n = len(seen["earlier"]) + 1
        return 202, {"run": await _another(which, "incident", f"r{n}", body, who, its, engine)}


async def undo(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """Put back what an incident changed, after somebody else's approval."""
    which = await known(id_, its)
    async with noted(which, who, "undo"):
        require(who, "Approver")
        seen = await _closed(which, "undone")
        n = len(seen["undo"]) + 1
        return 202, {"undo": await _another(which, "undo", f"u{n}", body, who, its, engine)}


async def answer(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """The owner's answer: expected, or not; and if not, which single things are known to him all the same."""
    which = await known(id_, its)
    async with noted(which, who, "answer") as what:
        said = _decode(body, _Answer)
        question = await open_question(which)
        what["question"] = question.id
        given = Answer(by=who, at=now(), expected=said.expected, reason=said.reason, known=tuple(said.known))
        await keep_answer(which, question, given, engine)
    return 202, {"incident": id_, "expected": said.expected}


async def keep_answer(which: Incident, question: Question, given: Answer, engine: Engine) -> None:
    """Keep an answer that counts, and wake the run that waits for it. Raises Refused."""
    approvals.check_answer(question, given.by, given.at)
    given = approvals.check_known(question, given)
    first = await which.give_answer(question.id, msgspec.structs.replace(given, reason=given.reason[:2000]))
    # If it isn't the first, perhaps that one was kept and the wake-up was lost: another one does no harm.
    await engine.wake(question.id, f"answer-{question.id}")
    if not first:
        raise Refused("The question has been answered already, and the first answer stands. Nothing was changed.")


async def approve(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, Json]:
    """An approver's answer to one gate: approve exactly these changes, or reject the plan."""
    which = await known(id_, its)
    async with noted(which, who, "approvals") as what:
        require(who, *_READERS)
        said = _decode(body, _Vote)
        what["gate"] = said.gate[:80]
        if not _GATE.fullmatch(said.gate):
            raise Refused(f"Incident {id_} has no gate {said.gate[:80]!r}. Read it to see what waits.", NOT_FOUND)
        if said.changes == []:
            raise Refused("No change was chosen, so nothing was done. To approve none, reject the plan.")
        gate = await which.gate(said.gate)
        vote = Vote(
            by=who,
            at=now(),
            decision=said.decision,
            digest=said.digest,
            changes=tuple(sorted(said.changes or ())),
            reason=said.reason[:2000],
        )
        decision = await _countersigned(which, gate, vote, engine)
    return 202, {"incident": id_, "gate": gate.id, "state": decision.state, "needs": gate.needs}


async def _countersigned(which: Incident, gate: GateRecord, vote: Vote, engine: Engine) -> Decision:
    """Keep a vote that counts, wake the run if it decides, and say what the votes come to. Raises Refused."""
    try:
        if await which.journal.find(f"decided {gate.id}") is not None:
            raise Refused(
                f"Gate {gate.id} is closed. Read the incident to see how it was decided. Nothing was changed."
            )
        approvals.check_vote(gate, await which.plan(gate.plan), vote, await which.votes(gate.id))
        if not await which.vote(gate.id, vote):
            raise Refused("You have answered this gate already, and the first answer stands. Nothing was changed.")
    except Refused:
        if approvals.tally(gate, await which.votes(gate.id)).state != "open":
            # Perhaps the vote that decided was kept and the wake-up was lost: another one does no harm.
            await engine.wake(_instance(gate.id), f"approval-{gate.id}")
        raise
    what = {"gate": gate.id, "decision": vote.decision, "digest": vote.digest, "changes": list(vote.changes)}
    what["reason"] = vote.reason
    await which.journal.append("voted", what, by=vote.by.name, at=vote.at, key=f"voted {gate.id} {vote.by.id}")
    decision = approvals.tally(gate, await which.votes(gate.id))
    if decision.state != "open":
        await engine.wake(_instance(gate.id), f"approval-{gate.id}")
    return decision


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
    410: "Not possible any more",
    500: "Not set up",
    503: "Not available now",
}


async def _asked(which: Incident) -> set[str]:
    """The object ids of the owners whom the incident asked."""
    runs = [e.what["question"] for e in await which.journal.entries() if e.kind == "asked"]
    return {id_ for run in runs for id_ in (await which.question(run)).asked}


async def known(id_: str, its: Services) -> Incident:
    """The incident of that id. Raises Refused (404)."""
    if not (len(id_) == 20 and all(c in "0123456789abcdef" for c in id_)):  # noqa: PLR2004
        raise Refused(
            f"{id_[:40]!r} is not the id of an incident. GET /api/incidents lists those there are.", NOT_FOUND
        )
    which = its.incident(id_)
    await which.received()
    return which


async def _closed(which: Incident, what: str) -> Json:
    """The incident as it is seen. Raises Refused while it runs."""
    seen = await view(which)
    if seen["status"] != "closed":
        raise Refused(f"Incident {which.id} is still {seen['status']}; it can be {what} when it has closed.")
    return seen


async def open_question(which: Incident) -> Question:
    """The question that an incident waits with. Raises Refused when nothing is asked now."""
    entries = await which.journal.entries()
    asked = [e.what["question"] for e in entries if e.kind == "asked"]
    done = {e.what["question"] for e in entries if e.kind == "answered"}
    if not asked or asked[-1] in done:
        raise Refused(
            f"Nothing is asked of an owner in incident {which.id} now, so nothing was changed. Read it to see what was."
        )
    return await which.question(asked[-1])


async def _another(
    which: Incident, orchestrator: str, run: str, body: bytes, who: Person, its: Services, engine: Engine
) -> str:
    """Start a further run of an incident. Of two who ask for it at the same moment, the second is refused."""
    reason = _decode(body, _Reason).reason[:2000] if body.strip() else ""
    instance, path = f"{which.id}-{run}", which.path("runs", f"{run}.json")
    order = {"incident": which.id, "by": who.id, "reason": reason}
    first = await its.evidence.create(path, order)
    if not first:  # started all the same: whoever was the first may have died before he did
        order = await its.evidence.read(path, Json) or order
    await engine.start(orchestrator, instance, order)
    what, by = {"run": instance, "reason": order["reason"]}, who.name if first else order["by"]
    await which.journal.append("asked_again", what, by=by, at=now(), key=instance)
    if not first:
        raise Refused(f"{order['by']} has just asked for the same: run {instance}. Read the incident to follow it.")
    return instance


@asynccontextmanager
async def noted(which: Incident, who: Person, request: str) -> AsyncIterator[Json]:
    """Have the incident's journal tell of a refusal within, with what is put into the dict meanwhile."""
    what: Json = {"request": request}
    try:
        yield what
    except Permanent as error:
        what["why"] = str(error)
        await which.journal.append("refused", what, by=who.name, at=now(), key=f"refused {who.id} {digest(what)}")
        raise


def _instance(gate: str) -> str:
    """The orchestration that waits at a gate: <instance>-<step>-<attempt>; of an undo, the gate's own id."""
    return gate if gate.rsplit("-", 1)[-1].startswith("u") else gate.rsplit("-", 2)[0]


def _decode(body: bytes, type_: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except (ValueError, RecursionError) as error:  # of msgspec, and of text that is no UTF-8
        fields = ", ".join(type_.__struct_fields__)
        raise Permanent(f"The body was not understood: {error}. Nothing was done. Send JSON with {fields}.") from error
