"""The people around an incident: the owner who answers or doesn't, the approvers, and whoever asks for the undo."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sandbox.host import Host
from sandbox.people import Died, People, Refusal, Unexpected
from sandbox.scene import Scene

Json = dict[str, Any]
Tell = Callable[[str, Json], None]
T = TypeVar("T")

# A response to which people and timers come back more often than this is going in circles.
ROUNDS = 300
_REASONS = {"expected": "Planned, and known to me.", "unexpected": "Nobody here did this."}
_FORBIDDEN, _CONFLICT = 403, 409
_TROUBLE = {"failed", "drifted", "unverified", "not_done"}


class Answering:
    """Plays an exercise's answers on the responder's API until there is nothing more to answer."""

    def __init__(self, scene: Scene, people: People, host: Host, tell: Tell) -> None:
        self._scene, self._people, self._host, self._tell = scene, people, host, tell
        self._answers = scene.exercise.answers
        self._approvers = scene.role("Approver")
        self._done: set[str] = set()  # questions and gates that were answered, or are left unanswered on purpose
        self._gates: set[str] = set()  # that the response opened
        self.named: set[str] = set()  # changes that approvers approved by name, for they were only offered
        self.rounds = ROUNDS
        self.incident: Json = {}  # as the API showed it last

    @property
    def asked(self) -> int:
        """How many approvals the response asked for."""
        return len(self._gates)

    def troubles(self) -> list[str]:
        """What the responder itself says went wrong, a sentence each."""
        runs = [self.incident, *self.incident.get("undo", ())]
        changes = [change for run in runs for step in run.get("steps", ()) for change in step["changes"]]
        failed = [f"{c['summary']}: {c['status']}: {c['reason']}" for c in changes if c["status"] in _TROUBLE]
        return failed + [f"{f['activity']}: {f['reason']}" for f in self.incident.get("failures", ())]

    async def event(self, events: list[Json]) -> None:
        """Deliver by Event Grid's webhook."""
        headers = {"aeg-event-type": "Notification", "aeg-delivery-count": "0"}
        key = await self._alive(lambda: self._host.key("eventgrid_extension"))
        target = f"/runtime/webhooks/eventgrid?functionName=on_event&code={key}"
        await self._ask("post", target, events, by="", headers=headers)

    async def deliver(self, by: str, body: Json) -> str:
        """Deliver by the API. Returns the incident's id."""
        taken = await self._ask("post", "/api/alerts", body, by=by)
        if len(taken["incidents"]) != 1:
            raise Unexpected(f"The alert became {len(taken['incidents'])} incidents: {taken}")
        return str(taken["incidents"][0]["incident"])

    async def only_incident(self) -> str:
        """The id of the one incident there is."""
        await self._settle()
        incidents = (await self._ask("get", "/api/incidents"))["incidents"]
        if len(incidents) != 1:
            raise Unexpected(f"There are {len(incidents)} incidents after the delivery, not one: {incidents}")
        return str(incidents[0]["incident"])

    async def respond(self, incident: str) -> None:
        """Answer whatever the incident asks until it is closed."""
        self.incident = {"incident": incident}
        for _ in range(self.rounds):
            await self._look()
            self._gates |= {gate["gate"] for gate in self.incident["gates"]}
            if self.incident["status"] == "closed":
                return
            if not await self._answer_owner() and not await self._answer_gates():
                await self._pass_time()
        status = self.incident["status"]
        raise Unexpected(f"Incident {incident} is still {status} after {self.rounds} rounds of answers.")

    async def hurry(self) -> None:
        """Let the time pass at once, for as long as nobody is asked anything: what Azure takes, no person waits for."""
        while True:
            await self._settle()
            listed = (await self._ask("get", "/api/incidents"))["incidents"]
            open_ = [i["incident"] for i in listed if i["status"] != "closed"]
            shown = [await self._ask("get", f"/api/incidents/{incident}") for incident in open_]
            asked = [one for i in shown for one in (i["question"], *i["gates"]) if one and one["state"] == "open"]
            if shown and not asked and self._host.next_timer:
                await self._pass_time()
            await asyncio.sleep(1)

    async def undo(self) -> None:
        """Ask for the undo of the incident, have somebody else approve it, and wait until it is over."""
        path = f"/api/incidents/{self.incident['incident']}/undo"
        by = self._approvers[0]
        answer = await self._ask("post", path, {"reason": "The exercise is over."}, by=by)
        self._tell("undo", answer)
        for _ in range(self.rounds):
            await self._look()
            if self.incident["status"] == "closed":
                return
            if not await self._answer_gates(undo=True):
                await self._pass_time()
        raise Unexpected(f"The undo is not over after {self.rounds} rounds.")

    async def _answer_owner(self) -> bool:
        """Answer as the owner. False when nothing is asked, or nothing is answered."""
        question = self.incident["question"]
        said = self._answers.owner
        if not question or question["state"] != "open" or said == "silence" or question["id"] in self._done:
            return False
        self._done.add(question["id"])
        asked = [self._scene.who(name) for name in question["owners"]]
        by = asked[0] if asked else self._scene.role("Owner")[0]
        body = {"expected": said == "expected", "reason": _REASONS[said]}
        await self._ask("post", f"/api/incidents/{self.incident['incident']}/answer", body, by=by)
        self._tell("answer", {"by": by, **body})
        return True

    async def _answer_gates(self, *, undo: bool = False) -> bool:
        """Answer every open gate as the exercise says. False when none was answered."""
        answered = False
        for gate in self.incident["gates"]:
            approvals = "all" if undo else self._answers.approvals
            if gate["state"] != "open" or gate["gate"] in self._done or approvals == "none":
                continue
            self._done.add(gate["gate"])
            answered = True
            reject = isinstance(approvals, dict) and approvals.get(gate["action"]) == "reject"
            chosen = [] if reject or undo else self._chosen(gate["plan"]["changes"])
            reject |= not undo and chosen == []
            await self._vote(gate, "reject" if reject else "approve", chosen or [])
        return answered

    def _chosen(self, changes: list[Json]) -> list[str] | None:
        """The changes that the approvers approve by id; None: those that the plan proposes.

        Of what is not known to be unfamiliar they name what the exercise names, or else what it knows for planted.
        """
        known = self._answers.named if self._answers.named is not None else self._scene.exercise.expect.evicted
        names = {name.lower() for name in known}
        proposed = [c["id"] for c in changes if c["familiarity"] != "unknown"]
        named = [c["id"] for c in changes if c["familiarity"] == "unknown" and c["resource"].lower() in names]
        self.named |= set(named)
        return proposed + named if named or not proposed else None

    async def _vote(self, gate: Json, decision: str, chosen: list[str]) -> None:
        """As many approvers as it takes answer a gate, by naming changes or not; those who may not are passed over."""
        body = {"gate": gate["gate"], "digest": gate["digest"], "decision": decision, "reason": "As the exercise says."}
        if chosen:
            lines = (gate["digest"], *sorted(set(chosen)))
            digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
            body |= {"digest": digest, "changes": chosen}
        path, refusals = f"/api/incidents/{self.incident['incident']}/approvals", []
        wanted = gate["needs"] if decision == "approve" else 1
        for approver in self._approvers:
            try:
                await self._ask("post", path, body, by=approver)
            except Refusal as refusal:
                if refusal.status != _FORBIDDEN:
                    raise
                refusals.append(str(refusal))
                continue
            self._tell("vote", {"by": approver, "action": gate["action"], "decision": decision})
            wanted -= 1
            if not wanted:
                return
        raise Unexpected(
            f"Gate {gate['gate']} wants {wanted} more approvals, and nobody else may: {' '.join(refusals)}"
        )

    async def _look(self) -> None:
        """Let everything run that can, then read the incident."""
        await self._settle()
        self.incident = await self._ask("get", f"/api/incidents/{self.incident['incident']}")
        self._tell("incident", self.incident)

    async def _pass_time(self) -> None:
        """Let the time pass that somebody waits for."""
        at = self._host.next_timer
        if at is None:
            raise Unexpected(
                f"Incident {self.incident['incident']} is {self.incident['status']} and waits for nothing."
            )
        await self._alive(lambda: self._host.advance(at))

    async def _settle(self) -> None:
        await self._alive(self._host.idle)

    async def _alive(self, what: Callable[[], Awaitable[T]]) -> T:
        """Do something with the host; when it died meanwhile, again after it was started again."""
        while True:
            try:
                return await what()
            except Died:
                await self._revive()

    async def _revive(self) -> None:
        await self._host.revive()
        self._tell("died", {"times": self._host.deaths})

    async def _ask(
        self, method: str, path: str, body: object = None, *, by: str | None = None, headers: Json | None = None
    ) -> Json:
        """Call the host as somebody: an approver unless told; "" for Event Grid, which signs in otherwise.

        When the host dies meanwhile it is started again, and asked again as a person would. It may have heard the first
        time: then it refuses the second, which is fine.
        """
        who = self._approvers[0] if by is None else by
        died = False
        while True:
            try:
                return await self._people.ask(method, f"{self._host.url}{path}", who, body, headers or {})
            except Died:
                died = True
                await self._revive()
            except Refusal as refusal:
                if died and refusal.status == _CONFLICT:
                    return {}
                raise
