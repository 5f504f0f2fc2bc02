"""An exercise's alert is the same alert by every channel, as the responder reads it."""

from pathlib import Path

import pytest

from responders import alerts
from responders.model import Alert
from sandbox import alerting
from sandbox.scene import EXERCISES, load

FILES = sorted(EXERCISES.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_channel_brings_the_alert_that_defender_has(path: Path) -> None:
    body = alerting.alert(load(path))
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
    alert = alerts.from_arm(alerting.alert(scene))
    assert alert.actors[0].id == scene.who("ops@contoso.example")
    assert alert.actors[0].upn == "ops@contoso.example"
    assert alert.start == scene.now + scene.exercise.attack[0].at
