"""The command line, as somebody at a terminal uses it, against a sandbox that is kept up."""

import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from responders.actions import ACTIONS

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


class Sandbox:
    """What `python -m sandbox serve` left for whoever reads it."""

    def __init__(self, folder: Path, told: str) -> None:
        lines = (folder / "serve" / "env").read_text().splitlines()
        pairs = (shlex.split(line)[1].partition("=") for line in lines)
        self.env = {name: value for name, _, value in pairs}
        self.approved: set[str] = set()
        self.alert = next(word for word in told.split() if "/alerts/" in word)

    def ask(self, path: str = "", by: str = "APPROVER_1", body: Json | None = None) -> Json:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.env[by]}"}
        request = urllib.request.Request(self.env["INCIDENT"] + path, data, headers)  # noqa: S310  our own host
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            found: Json = json.load(answer)
            return found

    def approve(self, *people: str) -> None:
        for gate in self.ask()["gates"]:
            if gate["state"] == "open" and gate["gate"] not in self.approved:
                self.approved.add(gate["gate"])
                for by in people[: gate["needs"]]:
                    self.ask("/approvals", by, {"gate": gate["gate"], "digest": gate["digest"], "decision": "approve"})


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("serve")
    command = [sys.executable, "-m", "sandbox", "serve", "--keep", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout
        told = ""
        while "Evidence, journal" not in told:
            line = process.stdout.readline()
            assert line, "the sandbox did not come up"
            told += line
        try:
            yield Sandbox(folder, told)
        finally:
            process.terminate()


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], **(env or {})}
    command = [sys.executable, "-m", "playbooks", *arguments]
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)  # noqa: S603


def test_list_names_every_action() -> None:
    printed = run("list").stdout

    assert [action.id for action in ACTIONS if action.id not in printed] == []


def test_list_is_for_machines_too() -> None:
    rows = json.loads(run("list", "--json").stdout)

    assert {row["action"] for row in rows} == {action.id for action in ACTIONS}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_show_tells_what_an_action_may(action: Any) -> None:
    printed = run("show", action.id).stdout

    assert all(right in printed for right in action.permissions)


def test_an_unknown_action_is_answered_with_those_there_are() -> None:
    done = run("show", "users.forgive")

    assert done.returncode == 1
    assert "users.disable" in done.stderr


def test_called_wrongly_it_prints_its_help() -> None:
    assert run().returncode == 2


def test_a_missing_setting_is_named() -> None:
    done = run("plan", "/subscriptions/x")

    assert done.returncode == 1
    assert done.stderr.startswith("Setting COUNTERSIGN_SUBSCRIPTIONS is missing")


def test_plan_shows_the_changes_and_makes_none(sandbox: Sandbox) -> None:
    before = sandbox.ask()["journal"]

    first, second = (run("plan", sandbox.alert, env=sandbox.env) for _ in range(2))

    assert first.returncode == 0, first.stderr
    assert "delete the runbook Sync-Inventory of aa-ops" in first.stdout
    assert first.stdout == second.stdout  # all of it is still there to be planned
    assert sandbox.ask()["journal"] == before


def test_an_alert_that_defender_does_not_know_is_refused(sandbox: Sandbox) -> None:
    done = run("plan", sandbox.alert[:-4] + "0000", env=sandbox.env)

    assert done.returncode == 1
    assert "Defender knows no alert" in done.stderr


def test_run_follows_an_incident_to_its_end_and_undo_puts_it_back(sandbox: Sandbox) -> None:
    ran = following(
        sandbox, "run", sandbox.alert, meanwhile=lambda: sandbox.ask("/answer", "OWNER", {"expected": False})
    )

    assert ran.returncode == 0
    assert "delete the runbook Sync-Inventory" in ran.stdout
    assert ran.stdout.rstrip().endswith("closed: resolved")

    undone = following(sandbox, "undo", sandbox.ask()["incident"], "--reason", "a drill", by=("APPROVER_2",))

    assert undone.returncode == 0
    assert [undo["result"] for undo in sandbox.ask()["undo"]] == ["done"]


def following(
    sandbox: Sandbox,
    *arguments: str,
    by: tuple[str, ...] = ("APPROVER_1", "APPROVER_2"),
    meanwhile: Callable[[], object] = lambda: None,
) -> subprocess.CompletedProcess[str]:
    """A command that follows an incident, and an approver who approves whatever it says is waiting."""
    command = [sys.executable, "-m", "playbooks", *arguments]
    settings = {"PATH": os.environ["PATH"], **sandbox.env}
    printed = ""
    with subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        meanwhile()
        assert process.stdout
        for line in process.stdout:
            printed += line
            if "waits for" in line:
                sandbox.approve(*by)
    return subprocess.CompletedProcess(command, process.returncode, printed)
