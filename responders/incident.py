"""One incident as the evidence store holds it: alert, cases, plans, questions, gates and their answers, journal."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from responders.approvals import Answer, GateRecord, Question, Vote
from responders.errors import Permanent, Refused
from responders.evidence import Evidence
from responders.journal import Journal
from responders.model import Alert, Case, Json, Plan, digest

NOT_FOUND = 404
T = TypeVar("T")


def incident_id(alert: Alert) -> str:
    """The incident of an alert: the same for every redelivery, and harmless as an instance id and in a path.

    Made from the id under which Defender is asked, so that a forged delivery can't take the place of the real one.
    """
    return incident_of(alert.id or f"{alert.subscription}/{alert.name}")


def incident_of(alert: str) -> str:
    """The incident of an alert by its ARM id."""
    return hashlib.sha256(alert.lower().encode()).hexdigest()[:20]


class Incident:
    """All paths of an incident lie beneath incidents/<id>/, and each is written once."""

    def __init__(self, evidence: Evidence, id_: str) -> None:
        self.id = id_
        self.evidence = evidence
        self.journal = Journal(evidence, id_)

    def path(self, *parts: str) -> str:
        return "/".join(("incidents", self.id, *parts))

    async def receive(self, alert: Alert, order: Json) -> Json:
        """Keep the alert as it came, and the order to run it. Returns the order of the first delivery."""
        await self.evidence.create(self.path("alert.json"), alert)
        await self.evidence.create(f"index/{self.id}", self.id)
        path = self.path("runs", "first.json")
        await self.evidence.create(path, order)
        return await self._must("order", path, dict)

    async def received(self) -> Alert:
        alert = await self.evidence.read(self.path("alert.json"), Alert)
        if alert is None:
            raise Refused(
                f"There is no incident {self.id[:40]!r}. GET /api/incidents lists those there are.", NOT_FOUND
            )
        return alert

    async def save_case(self, name: str, case: Case) -> None:
        await self.evidence.create(self.path("cases", f"{name}.json"), case)

    async def case(self, name: str) -> Case:
        return await self._must("case", self.path("cases", f"{name}.json"), Case)

    async def save_plan(self, plan: Plan) -> str:
        name = digest(plan)
        await self.evidence.write(self.path("plans", f"{name}.json"), plan)
        return name

    async def plan(self, name: str) -> Plan:
        """The plan of that digest. What is kept is compared with the digest, so that nothing else can run."""
        plan = await self._must("plan", self.path("plans", f"{name}.json"), Plan)
        if digest(plan) != name:
            raise Permanent(f"Plan {name[:12]}… of incident {self.id} was altered in the evidence store. Not used.")
        return plan

    async def ask(self, question: Question) -> None:
        await self.evidence.create(self.path("questions", f"{question.id}.json"), question)

    async def question(self, id_: str) -> Question:
        return await self._must("question", self.path("questions", f"{id_}.json"), Question)

    async def answer(self, question: str) -> Answer | None:
        return await self.evidence.read(self.path("answers", f"{question}.json"), Answer)

    async def give_answer(self, question: str, answer: Answer) -> bool:
        """Keep an answer. False when there was one already."""
        return await self.evidence.create(self.path("answers", f"{question}.json"), answer)

    async def open_gate(self, gate: GateRecord) -> None:
        await self.evidence.create(self.path("gates", f"{gate.id}.json"), gate)

    async def gate(self, id_: str) -> GateRecord:
        return await self._must("gate", self.path("gates", f"{id_}.json"), GateRecord)

    async def votes(self, gate: str) -> list[Vote]:
        paths = await self.evidence.list(self.path("votes", gate))
        votes = [await self.evidence.read(path, Vote) for path in paths]
        return [vote for vote in votes if vote is not None]

    async def voters(self) -> set[str]:
        """Object ids of all who voted at any gate."""
        paths = await self.evidence.list(self.path("votes"))
        return {path.rsplit("/", 1)[-1].removesuffix(".json") for path in paths}

    async def vote(self, gate: str, vote: Vote) -> bool:
        """Keep a person's vote. False when that person had voted already."""
        return await self.evidence.create(self.path("votes", gate, f"{vote.by.id}.json"), vote)

    async def _must(self, what: str, path: str, type_: type[T]) -> T:
        found = await self.evidence.read(path, type_)
        if found is None:
            name = path.rsplit("/", 1)[-1].removesuffix(".json")
            raise Refused(f"Incident {self.id} has no {what} {name[:80]!r}. Read it to see what it has.", NOT_FOUND)
        return found


async def known(evidence: Evidence) -> Sequence[str]:
    """The ids of all incidents."""
    return [path.rsplit("/", 1)[-1] for path in await evidence.list("index")]
