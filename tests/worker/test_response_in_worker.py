"""A whole response, each call of it made by Azure's worker, to an attack on the sandbox."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sandbox import alerting, stage
from sandbox.azure import Clock, Sandbox
from sandbox.people import People
from sandbox.playing import play
from sandbox.scene import EXERCISES, Scene, load
from sandbox.score import restored
from tests.worker.process import Came, Json, Person, Worker, running

TRIES = 20


@dataclass
class Attacked:
    """The sandbox after an attack, and the worker with the responder's identity."""

    scene: Scene
    sandbox: Sandbox
    worker: Worker
    incident: str = ""

    def state(self) -> Mapping[str, Any]:
        return stage.state(self.sandbox, self.scene.exercise)

    def person(self, role: str, nth: int = 0) -> Person:
        return Person(self.scene.role(role)[nth], (role,))

    async def deliver(self, alert: Json) -> None:
        """Send an alert as it is at Defender. Its incident is the one that all else is about."""
        (event,) = alerting.event(alert)
        came = await asyncio.to_thread(self.worker.invoke, "on_event", event | {"data": alert})
        assert came.failed == ""
        self.incident = came.durable[0]["id"]

    async def run(self, activity: str, **order: object) -> Came:
        """Order an activity as the engine does: at its time."""
        known = {"incident": self.incident, "run": self.incident, "by": "", "at": self.sandbox.clock.now().isoformat()}
        return await asyncio.to_thread(self.worker.invoke, activity, {**known, **order})

    async def settled(self, activity: str, **order: object) -> Json:
        """The same, again for as long as it says Temporary, with time passing in between."""
        for _ in range(TRIES):
            came = await self.run(activity, **order)
            if not came.failed:
                result: Json = came.result
                assert "failed" not in result
                return result
            assert came.failed.startswith("Temporary: ")
            self.sandbox.clock.advance(timedelta(seconds=15))
        raise AssertionError(f"{activity} never settles: {came.failed}")

    async def ask(self, function: str, by: Person, body: object = None, *instances: str) -> Came:
        """Ask the API while these instances are running."""
        return await asyncio.to_thread(
            self.worker.request, function, by, id_=self.incident, body=body, running=instances
        )

    async def approve(self, order: Json, by: Person) -> None:
        """Approve all that waits at the gate of a step, which wakes its run."""
        gate = order["step"]
        shown = (await self.ask("incident_by_id", by)).result["body"]["gates"]
        (digest,) = (one["digest"] for one in shown if one["gate"] == gate)
        came = await self.ask("approvals", by, {"gate": gate, "digest": digest, "decision": "approve"}, order["run"])
        assert came.result["body"] == {"incident": self.incident, "gate": gate, "state": "approved", "needs": 1}
        assert came.durable == [{"event": f"approval-{gate}", "id": order["run"]}]
        assert (await self.settled("decide", **order))["state"] == "approved"


@pytest.fixture
async def attacked(python: Path, tmp_path: Path) -> AsyncIterator[Attacked]:
    scene = load(EXERCISES / "stolen-operator-runbook.yaml")
    async with Sandbox(stage.build(scene), clock=Clock(scene.now)) as sandbox, People(sandbox, scene) as people:
        await play(scene, sandbox, people)
        with running(python, tmp_path, stage.environment(scene, sandbox, tmp_path)) as worker:
            yield Attacked(scene, sandbox, worker)


async def test_an_alert_that_defender_does_not_know_is_asked_for_again_and_not_acted_on(attacked: Attacked) -> None:
    alert = alerting.raised(attacked.scene, attacked.sandbox.world, attacked.sandbox.clock)
    forged = json.loads(json.dumps(alert).replace(alert["name"], f"2517102834561234567_{uuid4()}"))
    await attacked.deliver(forged)
    came = await attacked.run("examine")
    assert came.failed.startswith(f"Temporary: Defender knows no alert {forged['id']}")


async def test_an_attack_is_evicted_with_approval_and_the_eviction_undone(attacked: Attacked) -> None:
    alert = alerting.raised(attacked.scene, attacked.sandbox.world, attacked.sandbox.clock)
    await attacked.deliver(alert)
    id_, before = attacked.incident, attacked.state()
    assert await attacked.settled("examine") == {"result": "", "reason": ""}
    assert "expires" in await attacked.settled("ask")
    answer = {"expected": False, "reason": "Nobody here did this."}
    came = await attacked.ask("answer", attacked.person("Owner"), answer, id_)
    assert (came.result["status"], came.durable) == (202, [{"event": f"answer-{id_}", "id": id_}])
    assert await attacked.settled("hear") == {"answer": "unexpected"}

    found = await attacked.settled("investigate", wave=0)
    (where,) = (one for one in found["subjects"] if one["subject"]["kind"] == "subscription")
    for n, step in enumerate(where.pop("steps")):
        order = {**where, **step, "run": f"{id_}-0-0", "step": f"{id_}-0-0-{n}-0"}
        if not (await attacked.settled("plan", **order))["changes"]:
            continue
        await attacked.approve(order, attacked.person("Approver"))
        assert await attacked.settled("apply", start=0, stop=20, **order) == {"statuses": ["done"]}
        assert await attacked.settled("verify", start=0, stop=20, **order) == {"statuses": ["done"]}
    evicted = {key.rpartition("/")[-1] for key in before.keys() - attacked.state().keys()}
    assert {"sync-inventory", "sync", "sync-hourly", "c7e1a9b4-30d5-4f68-a2c7-8b6d4e0f1a03"} <= evicted
    assert "report" in await attacked.settled("close", result="resolved", reason="", joined=0)
    kept = attacked.sandbox.world.get(alert["id"])
    assert kept
    assert kept.properties["status"] == "Resolved"

    requester, other = attacked.person("Approver"), attacked.person("Approver", 1)
    (started,) = (await attacked.ask("undo_by_id", requester, {"reason": "It was a drill."})).durable
    order = {**started["input"], "run": started["id"], "step": started["id"], "action": "undo"}
    assert (started["start"], (await attacked.settled("plan_undo", **order))["changes"]) == ("undo", 2)
    await attacked.approve(order, other)
    assert await attacked.settled("undo_changes", start=0, stop=20, **order) == {"statuses": ["done", "done"]}
    assert "report" in await attacked.settled("close_undo", result="done", **order)
    assert restored(before, attacked.state()) == ()

    came = await attacked.ask("rerun", requester, {"reason": "Once more."})
    assert [(one["start"], one["id"]) for one in came.durable] == [("incident", f"{id_}-r1")]
