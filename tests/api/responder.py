"""The whole responder on a sandbox Azure: the function app on the local host, and people who call it over HTTP."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from sandbox import alerting
from sandbox.azure import Clock, Sandbox, raise_alert
from sandbox.host import Host
from sandbox.people import People
from sandbox.playing import play
from sandbox.scene import Scene, load
from sandbox.stage import build, environment, identity

Json = dict[str, Any]
TAKEOVER = Path(__file__).with_name("takeover.yaml")
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"  # which the responder guards
DEV = "/subscriptions/a91d4e07-62cf-4f3b-8e28-c7b05d13f986"  # which it doesn't
ALERTS = "/providers/Microsoft.Security/locations/centralus/alerts"
GRANT = "/providers/Microsoft.Authorization/roleAssignments/d4a1c7e2-5b83-4f96-8e0d-3c2b1a9f7e0"
NORA, NILS, DAVE, NELL = (  # what Eve gave them
    f"{PROD}/resourceGroups/{group}{GRANT}{n}"
    for n, group in enumerate(("rg-web", "rg-data", "rg-data", "rg-ops"), start=1)
)
DISABLE, STRIP, REVOKE = "users.disable", "subscriptions.strip_role_assignments", "users.revoke_sessions"
LOGIC_APP = "logic-defender-alerts"  # a Sender
ACCEPTED = 202
_ROUNDS = 60  # timers until a response is held to be going in circles


class Answer(NamedTuple):
    """What the responder answered."""

    status: int
    kind: str  # content type
    body: Any


class Responder:
    """A responder that guards production of Contoso, after the attack of `scene`."""

    def __init__(self, scene: Scene, sandbox: Sandbox, host: Host, evidence: Path) -> None:
        self.scene, self.sandbox, self.host, self.evidence = scene, sandbox, host, evidence
        self._session = aiohttp.ClientSession()
        tls = ssl.create_default_context(cafile=sandbox.ca_file)
        self.azure = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))
        self._key = ""
        self._grants: list[Json] = []

    async def close(self) -> None:
        await self._session.close()
        await self.azure.close()

    # -- Azure ---------------------------------------------------------------------------------------------------------

    def raised(self, *entities: Json) -> Json:
        """A new alert, as Defender's REST API has it: about the attack, or about whom `entities` name."""
        world, clock = self.sandbox.world, self.sandbox.clock
        if not entities:
            return alerting.raised(self.scene, world, clock)
        at = self.scene.now + self.scene.exercise.alert.at
        return raise_alert(world, clock, self.scene.exercise.alert.type, PROD.rpartition("/")[2], at, entities)

    def account(self, who: str) -> Json:
        """An alert's entity for a user of the world, by the local part of his name."""
        oid = self.scene.who(f"{who}@contoso.example")
        return {"type": "account", "name": who, "upnSuffix": "contoso.example", "aadUserId": oid}

    def state_of(self, alert: Json) -> str:
        """An alert's status in Defender."""
        found = self.sandbox.world.get(alert["id"])
        assert found
        return str(found.properties["status"])

    def there(self, id_: str) -> bool:
        """Whether Azure has that resource."""
        return id_ in self.sandbox.world

    def attacked(self) -> None:
        """Remember what the attack made."""
        world = self.sandbox.world
        self._grants = [deepcopy(found.body) for id_ in (NORA, NILS, DAVE, NELL) if (found := world.get(id_))]
        self._secrets = deepcopy(world.directory.private)

    def restore(self) -> None:
        """Have everything as it was right after the attack. An undo would not do: what it makes is the responder's."""
        for body in self._grants:
            self.sandbox.world.put(body["id"], deepcopy(body))
        self.sandbox.world.directory.objects[self.scene.who("eve@contoso.example")]["accountEnabled"] = True
        self.sandbox.world.directory.private = deepcopy(self._secrets)

    def writes(self) -> list[str]:
        """All that the responder ever changed, or tried to."""
        me = identity(self.scene)
        reads = ("/getByIds", "/$batch", "/exportTemplate", "/Microsoft.ResourceGraph/resources")
        calls = [r for r in self.sandbox.requests if r.caller == me and r.service != "login" and r.method != "GET"]
        return [f"{r.method} {r.path}" for r in calls if not r.path.endswith(reads)]

    async def world(self) -> Json:
        """All that a refusal must leave alone: Azure, every alert's state, and which incidents there are."""
        alerts = {r.id: r.properties["status"] for r in self.sandbox.world if r.type.lower().endswith("/alerts")}
        return {"azure": self.sandbox.world.snapshot(), "alerts": alerts, "incidents": await self.incidents()}

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """Check that what is done inside changes nothing and starts nothing."""
        before, written = await self.world(), self.writes()
        yield
        await self.host.idle()
        assert await self.world() == before
        assert self.writes() == written

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def token(self, who: str) -> str:
        """An access token for the responder; `who` is a user's local part, or another name of the world."""
        name = f"{who}@contoso.example"
        return self.sandbox.token(self.scene.who(name if name in self.scene.identities else who), "app")

    async def ask(
        self, method: str, path: str, body: object = None, *, by: str = "", headers: Mapping[str, str] = {}
    ) -> Answer:
        """Call the API. `body`: bytes as they are, all else as JSON, None for none."""
        signed = {"Authorization": f"Bearer {self.token(by)}"} if by else {}
        return await self._send(method, f"/api/{path}", body, {**signed, **headers})

    async def event(self, *events: object, kind: str = "application/json") -> Answer:
        """Deliver to the Event Grid webhook: an array of events, or one if it is a CloudEvent."""
        self._key = self._key or await self.host.key("eventgrid_extension")
        path = f"/runtime/webhooks/eventgrid?functionName=on_event&code={self._key}"
        body = events if kind == "application/json" else events[0]
        return await self._send("POST", path, body, {"aeg-event-type": "Notification", "Content-Type": kind})

    async def _send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        url = URL(self.host.url + path, encoded=True)  # as it is written: nothing is folded away on this side
        async with self._session.request(method, url, data=data, headers=headers) as response:
            text = await response.text()
            said = json.loads(text) if text.startswith(("{", "[")) else text
            return Answer(response.status, response.content_type, said)

    # -- incidents -----------------------------------------------------------------------------------------------------

    async def incidents(self) -> list[str]:
        """The ids of all incidents, the newest first."""
        shown = (await self.ask("GET", "incidents", by="soc")).body["incidents"]
        return [one["incident"] for one in shown]

    async def show(self, incident: str) -> Json:
        """The incident as the API shows it, once all that can run has run."""
        await self.host.idle()
        answer = await self.ask("GET", f"incidents/{incident}", by="soc")
        assert answer.status == 200, answer
        return dict(answer.body)

    async def delivered(self, alert: Json, *, by: str = LOGIC_APP) -> str:
        """Deliver an alert by its id; the incident's id, once the owner was asked."""
        answer = await self.ask("POST", "alerts", {"id": alert["id"]}, by=by)
        assert answer.status == 202, answer
        [taken] = answer.body["incidents"]
        await self.host.idle()
        return str(taken["incident"])

    async def answered(self, incident: str, *, expected: bool) -> None:
        """Have the owner answer."""
        answer = await self.ask("POST", f"incidents/{incident}/answer", {"expected": expected}, by="owner")
        assert answer.status == 202, answer
        await self.host.idle()

    async def responding(self, alert: Json, *, by: str = LOGIC_APP) -> str:
        """Deliver an alert and have the owner say that it was unexpected; the incident's id, once gates are open."""
        incident = await self.delivered(alert, by=by)
        await self.answered(incident, expected=False)
        return incident

    async def gate(self, incident: str, action: str) -> Json:
        """The open gate of an action."""
        gates = (await self.show(incident))["gates"]
        [gate] = [g for g in gates if g["action"] == action and g["state"] == "open"]
        return dict(gate)

    async def step(self, incident: str, action: str) -> Json:
        """What the first step of an action came to."""
        [step, *_] = [s for s in (await self.show(incident))["steps"] if s["action"] == action]
        return dict(step)

    async def vote(self, incident: str, gate: Json, by: str, /, **said: object) -> Answer:
        """Approve a gate's whole plan, unless `said` says otherwise."""
        body = {"gate": gate["gate"], "decision": "approve", "digest": gate["digest"], **said}
        return await self.ask("POST", f"incidents/{incident}/approvals", body, by=by)

    async def let_expire(self, incident: str, gate: Json) -> None:
        """Let the time pass that people have for a gate."""
        while any(g["gate"] == gate["gate"] and g["state"] == "open" for g in (await self.show(incident))["gates"]):
            await self.pass_time()

    async def pass_time(self) -> None:
        """Let the time pass that the next timer waits for."""
        await self.host.idle()
        assert self.host.next_timer
        await self.host.advance(self.host.next_timer)
        await self.host.idle()

    async def ended(self, incident: str, votes: Literal["approve", "reject", "none"] = "reject") -> Json:
        """The incident once it is closed. Open gates get these votes on the way, and silence passes."""
        for _ in range(_ROUNDS):
            shown = await self.show(incident)
            if shown["status"] == "closed":
                return shown
            gates = [g for g in shown["gates"] if g["state"] == "open" and votes != "none"]
            for gate in gates:
                # Of what is not known to be unfamiliar nobody here names anything.
                named = votes == "approve" and any(c["familiarity"] != "unknown" for c in gate["plan"]["changes"])
                wanted = gate["needs"] if named else 1
                for by in ("bob", "carol"):  # either may be barred, who asked for it
                    answer = await self.vote(incident, gate, by, decision="approve" if named else "reject")
                    wanted -= answer.status == ACCEPTED
                    if not wanted:
                        break
            if not gates:
                await self.pass_time()
        raise AssertionError(f"{incident} never ends: {shown['status']}")

    async def undone(self, incident: str) -> None:
        """Put back what a closed incident changed."""
        answer = await self.ask("POST", f"incidents/{incident}/undo", {}, by="carol")
        assert answer.status == 202, answer
        await self.vote(incident, await self.gate(incident, "undo"), "alice")
        assert (await self.show(incident))["undo"][-1]["result"] == "done"


def assert_refused(answer: Answer, status: int, *words: str) -> None:
    """Check that an answer is a problem document of that status, whose detail says all of `words`."""
    assert (answer.status, answer.kind) == (status, "application/problem+json"), answer
    assert answer.body.keys() == {"type", "status", "title", "detail"}
    assert answer.body["status"] == status
    assert [word for word in words if word not in answer.body["detail"]] == [], answer.body["detail"]


@asynccontextmanager
async def responder(folder: Path, settings: Mapping[str, str] = {}) -> AsyncIterator[Responder]:
    """Boot Azure and the host, and have the attack played."""
    scene = load(TAKEOVER)
    async with Sandbox(build(scene), clock=Clock(scene.now)) as sandbox, People(sandbox, scene) as people:
        host = Host(folder, {**environment(scene, sandbox, folder), **settings}, sandbox)
        its = Responder(scene, sandbox, host, folder / "evidence")
        try:
            await play(scene, sandbox, people)
            its.attacked()
            await host.start()
            yield its
        finally:
            await its.close()
            await host.stop()
