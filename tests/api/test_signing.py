"""An incident closes by itself only when all that was done is accounted for."""

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from sandbox.drill import perform
from sandbox.exercise import Answers
from sandbox.scene import EXERCISES, load
from sandbox.score import Score


async def performed(folder: Path, name: str, approvals: Any) -> tuple[Score, dict[str, Any]]:
    scene = load(EXERCISES / f"{name}.yaml")
    exercise = msgspec.structs.replace(scene.exercise, answers=Answers(owner="unexpected", approvals=approvals))
    score = await perform(msgspec.structs.replace(scene, exercise=exercise), keep=folder)
    return score, json.loads((folder / name / "incident.json").read_text())


def signing(incident: dict[str, Any]) -> dict[str, Any]:
    [step] = [step for step in incident["steps"] if step["action"] == "sign_off"]
    return dict(step)


async def test_what_nothing_explains_keeps_the_incident_open_until_somebody_signs(tmp_path: Path) -> None:
    score, incident = await performed(tmp_path, "stolen-operator-runbook", {"sign_off": "reject"})

    assert (score.alert, incident["result"]) == ("open", "unfinished")
    assert "unexplained" in incident["reason"]
    [left] = signing(incident)["changes"]
    assert left["resource"].endswith("/runbooks/Renew-Certificates")
    assert left["status"] == "not_approved"


@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        ("stolen-operator-runbook", "approved", ["signed"]),
        ("vm-run-command", "nothing_to_do", []),
        ("elevated-access", "nothing_to_do", []),
        ("pim-eligible-owner", "nothing_to_do", []),
        ("planted-delegation", "nothing_to_do", []),
    ],
)
async def test_it_is_resolved_once_signed_or_when_nothing_is_left(
    tmp_path: Path, name: str, state: Literal["approved", "nothing_to_do"], status: list[str]
) -> None:
    score, incident = await performed(tmp_path, name, "all")

    assert (score.passed, incident["result"]) == (True, "resolved")
    assert signing(incident)["state"] == state
    assert [change["status"] for change in signing(incident)["changes"]] == status


async def test_a_machine_that_was_cut_off_and_not_rebuilt_is_signed_for(tmp_path: Path) -> None:
    rejected = dict.fromkeys(("vms.reimage", "vms.release"), "reject")

    _, incident = await performed(tmp_path, "linux-implant", rejected)

    [left] = signing(incident)["changes"]
    assert left["resource"].endswith("/virtualMachines/vm-web-1")
    assert "2 times" in left["summary"]
