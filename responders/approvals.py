"""Who may countersign what, and what the countersignatures come to. Rules only: nothing here reads or writes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from responders.errors import Refused
from responders.ids import ResourceId, is_guid
from responders.model import Case, Plan
from responders.utc import utc

FORBIDDEN = 403
MOST_KNOWN = 50  # things that an owner may name as known to him
_NEEDS = {"one": 1, "two": 2}


class Person(Struct, frozen=True, kw_only=True):
    """Someone who is signed in, as the platform verified it."""

    id: str  # Entra object id, lower case
    name: str = ""
    roles: tuple[str, ...] = ()  # app roles: Approver, Owner, Reader, Sender


class Question(Struct, frozen=True, kw_only=True):
    """What the owner is asked. `id` is unique to one wait of one run."""

    id: str
    text: str
    asked: tuple[str, ...]  # object ids
    suspects: tuple[str, ...]  # object ids
    expires: datetime
    covers: tuple[str, ...] = ()  # ARM ids of joined alerts that the text tells of too
    things: dict[str, str] = {}  # what the owner may say is known to him: ids, each in words


class Answer(Struct, frozen=True, kw_only=True):
    """An owner's answer to a question."""

    by: Person
    at: datetime
    expected: bool
    reason: str = ""
    known: tuple[str, ...] = ()  # resource and object ids that the owner says are known to him


class GateRecord(Struct, frozen=True, kw_only=True):
    """A plan that waits to be countersigned. `id` is unique to one wait of one run."""

    id: str
    action: str
    plan: str  # digest
    needs: int  # approvals of different people
    expires: datetime
    barred: dict[str, str]  # object id: why that person may not countersign


class Vote(Struct, frozen=True, kw_only=True):
    """An approver's answer to a gate."""

    by: Person
    at: datetime
    decision: Literal["approve", "reject"]
    digest: str  # `selection` of exactly the chosen changes
    changes: tuple[str, ...] = ()  # their ids; none for all that the plan proposes
    reason: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """What the votes at a gate come to."""

    state: Literal["open", "approved", "rejected"]
    digest: str = ""
    changes: tuple[str, ...] = ()
    by: tuple[str, ...] = ()  # names
    reason: str = ""


def needs(gate: str) -> int:
    return _NEEDS[gate]


def barred(case: Case, plan: Plan, requester: str) -> dict[str, str]:
    """Who may not countersign this plan, and why: the suspect, the requester, and those whom the changes concern."""
    who = {p: "one of the changes concerns you" for change in plan.changes for p in change.principals}
    who |= {s.id: "you are a suspect of this incident" for s in case.suspects if s.id}
    if requester:
        who |= {requester: "you asked for it"}
    return {id_.lower(): why for id_, why in who.items()}


def subset(plan: Plan, changes: Iterable[str]) -> Plan:
    """The plan with only the changes of those ids; for none with those that it proposes. Raises Refused.

    What is unknown is not proposed: it runs only where somebody names it.
    """
    wanted = set(changes)
    chosen = tuple(c for c in plan.changes if c.id in wanted) if wanted else plan.proposed
    if not chosen and not wanted:
        raise Refused(
            "Nothing in this plan is known to be unfamiliar, so nothing was chosen. Name the changes to make by their "
            "ids, or reject the plan; nothing was done."
        )
    if unknown := wanted - {c.id for c in chosen}:
        raise Refused(
            f"The plan has no change {', '.join(sorted(unknown))[:200]}. Read the incident again; nothing was done."
        )
    return msgspec.structs.replace(plan, changes=chosen)


def selection(plan: str, changes: Iterable[str]) -> str:
    """What somebody countersigns: the plan's digest; of some of its changes, SHA-256 of that and their sorted ids.

    One to a line, so that anyone can make it with sha256sum.
    """
    ids = sorted(set(changes))
    return hashlib.sha256("".join(f"{line}\n" for line in (plan, *ids)).encode()).hexdigest() if ids else plan


def check_answer(question: Question, person: Person, at: datetime) -> None:
    """Raise Refused unless that person may answer that question now."""
    if person.id in question.suspects:
        raise Refused("You are a suspect of this incident, and can't answer for yourself. An owner has to.", FORBIDDEN)
    if person.id not in question.asked and "Owner" not in person.roles:
        raise Refused(
            "You are not an owner who was asked, and don't hold the app role Owner. An owner has to answer.", FORBIDDEN
        )
    if at > question.expires:
        raise Refused(
            f"The time to answer was over at {utc(question.expires)}, and silence is held to be "
            "unexpected. What is done about it still needs approvals: tell an approver."
        )


def check_known(question: Question, answer: Answer) -> Answer:
    """The answer with the ids that are known to its giver spelled one way. Raise Refused for what he can't say so of.

    Each is one resource or one object of the directory, never all beneath: a word on a subscription would hide an
    intruder's things in it.
    """
    if answer.known and answer.expected:
        raise Refused("If all was expected, nothing is to be named as known. Nothing was kept; answer again.")
    if len(answer.known) > MOST_KNOWN:
        raise Refused(f"More than {MOST_KNOWN} things were named as known. Nothing was kept; name the others by hand.")
    ids = [text.lower() if is_guid(text) else ResourceId.parse(text).text for text in answer.known]
    if theirs := [id_ for id_ in ids if id_ in question.suspects]:
        raise Refused(f"{theirs[0]} is a suspect of this incident, and no owner's word clears a suspect.", FORBIDDEN)
    return msgspec.structs.replace(answer, known=tuple(dict.fromkeys(ids)))


def check_vote(gate: GateRecord, plan: Plan, vote: Vote, earlier: Iterable[Vote]) -> None:
    """Raise Refused unless that vote counts."""
    if "Approver" not in vote.by.roles:
        raise Refused("To countersign, you need the app role Approver. Another person has to.", FORBIDDEN)
    if why := gate.barred.get(vote.by.id):
        raise Refused(f"You can't countersign this: {why}. Another approver has to.", FORBIDDEN)
    if any(v.by.id == vote.by.id for v in earlier):
        raise Refused("You have answered this gate already, and the first answer stands. Nothing was changed.")
    if vote.at > gate.expires:
        raise Refused(f"This gate expired at {utc(gate.expires)}. Nothing was changed; run it again.")
    if vote.decision == "reject":
        return
    subset(plan, vote.changes)
    chosen = selection(gate.plan, vote.changes)
    if vote.digest != chosen:
        raise Refused(
            f"You approved {vote.digest[:64] or 'nothing'}, but what you chose here is {chosen}: another plan, or "
            "other changes of it. Read the incident again; nothing was done."
        )


def tally(gate: GateRecord, votes: Iterable[Vote]) -> Decision:
    """What the votes come to: one rejection rejects; an approval needs that many people for the very same digest."""
    by_digest: defaultdict[str, dict[str, Vote]] = defaultdict(dict)
    for vote in sorted(votes, key=lambda v: (v.at, v.by.id)):
        if vote.decision == "reject":
            return Decision(state="rejected", by=(vote.by.name,), reason=vote.reason)
        by_digest[vote.digest][vote.by.id] = vote
        if len(by_digest[vote.digest]) >= gate.needs:
            people = tuple(v.by.name for v in by_digest[vote.digest].values())
            return Decision(state="approved", digest=vote.digest, changes=vote.changes, by=people, reason=vote.reason)
    return Decision(state="open")
