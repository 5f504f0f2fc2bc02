"""Points, and what their sum is called."""

import itertools
from typing import Any

import pytest

from responders.investigation.rules import Level, Match
from responders.investigation.scoring import NOTABLE, SUSPICIOUS, Score, score
from responders.investigation.signals import Signal
from tests.responders.investigation.weeks import did, points

ALL = (
    *("dormant", "burst", "chain", "tool", "new_operation", "new_network", "content", "session", "new_app"),
    *("token_elsewhere", "failed_before", "no_mfa", "other_tenant", "off_hours", "quiet", "routine"),
)


def match(level: Level, name: str = "a-rule") -> Match:
    return Match(rule="id", name=name, title="Something was done", level=level, tags=(), why=())


def of(level: Level | None, *signals: str, **fields: Any) -> Score:
    matches = (match(level),) if level else ()
    return score(did(**fields), matches, [Signal(name, f"because of {name}") for name in signals])


@pytest.mark.parametrize(
    ("level", "value", "called"),
    [
        ("informational", 0, "none"),
        ("low", 1, "none"),
        ("medium", 3, "none"),
        ("high", 6, "notable"),
        ("critical", 9, "suspicious"),
    ],
)
def test_a_rule_alone(level: Level, value: float, called: str) -> None:
    its = of(level)
    assert (its.value, its.level) == (value, called)


def test_the_gravest_rule_counts() -> None:
    its = score(did(), (match("high"), match("low"), match("medium")), ())
    assert its.value == 6


def test_new_things_make_a_rule_suspicious() -> None:
    assert of("medium", "new_operation", "new_network").level == "suspicious"
    assert of("medium", "new_operation").level == "notable"
    assert of("high", "new_app").level == "suspicious"


def test_new_alone_is_never_suspicious() -> None:
    its = of(None, "new_operation", "new_network", "new_app", "dormant", "token_elsewhere", "off_hours")
    assert its.level == "notable"
    assert its.value == SUSPICIOUS - 1
    assert of(None, "new_operation", "new_network", "burst").level == "suspicious"


def test_another_tenant_and_odd_hours_are_not_suspicious_by_themselves() -> None:
    assert of("high", "other_tenant").level == "notable"
    assert of("high", "other_tenant", "off_hours").value == SUSPICIOUS
    assert of(None, "off_hours").value == 0


def test_what_failed_counts_half() -> None:
    its = of("high", "new_operation", outcome="failed")
    assert its.value == 4.5
    assert points(its)["failed"] == -4.5


def test_azures_own_services_and_routine_are_discounted_but_not_below_nothing() -> None:
    assert of("high", "quiet").value == 2
    assert of("high", "routine").value == 3
    assert of("low", "quiet", "routine").value == 0


@pytest.mark.parametrize("level", [None, "low", "high"])
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_the_score_is_the_sum_of_its_points_each_with_reason_and_events(level: Level | None, outcome: str) -> None:
    for signals in itertools.combinations(ALL, 4):
        its = of(level, *signals, outcome=outcome)
        assert its.value == sum(point.points for point in its.points)
        assert its.value >= 0
        assert all(point.reason and point.events for point in its.points)
        called = "suspicious" if its.value >= SUSPICIOUS else "notable" if its.value >= NOTABLE else "none"
        assert its.level == called


def test_the_same_signal_counts_once() -> None:
    assert score(did(), (), [Signal("chain", "one"), Signal("chain", "two")]).value == 4
