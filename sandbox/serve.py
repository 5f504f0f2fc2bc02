"""Keeps the sandbox up after an attack: the incident waits, and whoever reads this answers it with curl."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sandbox import clients, deployed
from sandbox.azure import Clock, Sandbox
from sandbox.azure.doorway import Doorway
from sandbox.demo import DEMO
from sandbox.drill import Drill
from sandbox.host import Host
from sandbox.people import People
from sandbox.scene import Scene, load
from sandbox.stage import AGE, GROUP, build, environment

_SHIFT = timedelta(hours=12)  # how long the tokens last


async def serve(file: Path | None, keep: Path) -> int:
    """Perform the attack, deliver the alert, and stay until interrupted."""
    scene = load(file or DEMO)
    folder = keep / "serve"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    async with (
        Sandbox(build(scene), clock=Clock(scene.now)) as sandbox,
        People(sandbox, scene) as people,
        Doorway(sandbox.endpoints) as doorway,
    ):
        settings = environment(scene, sandbox, folder)
        host = Host(folder, settings, sandbox)
        drill = Drill(scene, sandbox, people, host, lambda *_: None)
        try:
            await drill.attack()
            incident = await drill.deliver()
            deployed.deploy(sandbox, scene, host.url)
            variables = _variables(scene, sandbox, host.url, incident)
            path = folder / "env"
            path.touch(mode=0o600)
            path.write_text("".join(f"export {k}={shlex.quote(v)}\n" for k, v in {**settings, **variables}.items()))
            subscription = scene.world.responder.subscriptions[0]
            client = clients.admit(sandbox, subscription, scene.now - AGE, folder, doorway.url)
            print(_told(scene, path, drill.alert["id"], folder), clients.told(client), sep="\n", flush=True)
            either = [asyncio.create_task(wait) for wait in (_interrupted(), drill.answering.hurry())]
            done, waiting = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            for task in done:
                task.result()
        finally:
            await host.stop()
    return 0


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has none of this: there Ctrl-C raises KeyboardInterrupt
            loop.add_signal_handler(name, stop.set)
    await stop.wait()


def _variables(scene: Scene, sandbox: Sandbox, url: str, incident: str) -> dict[str, str]:
    """What the commands below use: the address, the incident, and a token for each person."""
    owner, (first, second) = scene.role("Owner")[0], scene.role("Approver")[:2]
    tokens = {name: sandbox.token(who, "app", lifetime=_SHIFT) for name, who in
              {"OWNER": owner, "APPROVER_1": first, "APPROVER_2": second}.items()}  # fmt: skip
    api = f"{url}/api/incidents/{incident}"
    return {"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": tokens["APPROVER_1"], "INCIDENT": api, **tokens}


def _told(scene: Scene, variables: Path, alert: str, folder: Path) -> str:
    return f"""{scene.exercise.title}.
The attack is done, the alert is in, and the owner is asked. The sandbox stays up until Ctrl-C. In another terminal:

  . {variables}

  # what is asked, what waits for approval, what was done
  curl -s "$INCIDENT" -H "Authorization: Bearer $APPROVER_1" | python3 -m json.tool

  # answer as the owner: it was not expected
  curl -s -X POST "$INCIDENT/answer" -H "Authorization: Bearer $OWNER" \\
    -d '{{"expected": false, "reason": "Nobody here did this."}}'

  # approve a plan: gate and digest are among the "gates" of the incident
  curl -s -X POST "$INCIDENT/approvals" -H "Authorization: Bearer $APPROVER_1" \\
    -d '{{"gate": "<gate>", "digest": "<digest>", "decision": "approve"}}'

  # when it has closed: ask for the undo, and have somebody else approve its gate
  curl -s -X POST "$INCIDENT/undo" -H "Authorization: Bearer $APPROVER_1" -d '{{"reason": "a drill"}}'
  curl -s -X POST "$INCIDENT/approvals" -H "Authorization: Bearer $APPROVER_2" \\
    -d '{{"gate": "<gate>", "digest": "<digest>", "decision": "approve"}}'

  # what the response would change now, read as the responder, writing nothing
  {os.path.relpath(sys.executable)} -m playbooks plan {alert}

  # what of the deployment is broken, and how to put it right
  {os.path.relpath(sys.executable)} -m playbooks doctor --group {GROUP}

Evidence, journal and reports are in {folder / "evidence"}.
"""
