"""An exercise's alert is the same alert by every channel, as the responder reads it."""

from pathlib import Path

import pytest

from responders import alerts
from responders.model import Alert, Json
from sandbox import alerting
from sandbox.azure import Clock
from sandbox.scene import EXERCISES, Scene, load
from sandbox.stage import build


def raised(scene: Scene) -> Json:
    return alerting.raised(scene, build(scene), Clock(scene.now))


FILES = sorted(EXERCISES.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_channel_brings_the_alert_that_defender_has(path: Path) -> None:
    body = raised(load(path))
    (original,) = alerts.parse(body)
    for arrived in (alerting.exported(body), alerting.event(body)):
        (found,) = alerts.parse(arrived)
        assert isinstance(found, Alert)
        assert isinstance(original, Alert)
        assert (found.id.lower(), found.name, found.type) == (body["id"].lower(), body["name"], original.type)
        assert (found.actors, found.addresses, found.resources) == (
            original.actors,
            original.addresses,
            original.resources,
        )
        assert (found.start, found.end, found.severity, found.details) == (
            original.start,
            original.end,
            original.severity,
            original.details,
        )


def test_the_suspect_of_the_file_is_the_first_actor() -> None:
    scene = load(EXERCISES / "stolen-operator-runbook.yaml")
    alert = alerts.from_arm(raised(scene))
    assert alert.actors[0].id == scene.who("ops@contoso.example")
    assert alert.actors[0].upn == "ops@contoso.example"
    assert alert.start == scene.now + scene.exercise.alert.at
