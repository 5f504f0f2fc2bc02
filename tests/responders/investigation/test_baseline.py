"""What callers did before the window."""

import random

import pytest

from responders.investigation import baseline as module
from responders.investigation.baseline import network
from tests.responders.investigation.weeks import AWAY, DAY, HOME, NORA, OMAR, SINCE, baseline, did, weeks


def test_three_weeks_are_enough_and_know_what_was_done() -> None:
    known = baseline(*weeks())
    history = known.of(did())
    assert history
    assert known.enough(history)
    assert known.covers
    assert history.count == 42
    assert list(history.networks) == ["203.0.0.0/16"]
    assert known.span_of(history) == known.span == 21


@pytest.mark.parametrize(("days", "each", "enough"), [(6, 10, False), (7, 3, True), (21, 1, True), (9, 2, False)])
def test_it_takes_seven_days_and_twenty_activities(days: int, each: int, enough: bool) -> None:  # noqa: FBT001
    known = baseline(*weeks(days, each))
    history = known.of(did())
    assert history
    assert known.enough(history) is enough
    assert known.covers is enough


def test_the_order_of_the_log_does_not_matter() -> None:
    mixed = [*weeks(), *weeks(operation="microsoft.web/sites/write", days=5, address=AWAY)]
    forth, back, any_ = baseline(*mixed), baseline(*reversed(mixed)), list(mixed)
    random.Random(3).shuffle(any_)  # noqa: S311
    histories = [known.of(did()) for known in (forth, back, baseline(*any_))]
    assert histories[0] == histories[1] == histories[2]


def test_events_with_only_a_name_are_the_same_callers() -> None:
    known = baseline(*weeks(10), *weeks(21, oid="", address=AWAY))
    by_id, by_name = known.of(did()), known.of(did(oid="", caller="Nora@Contoso.example"))
    assert by_id == by_name
    assert by_id
    assert by_id.count == 20 + 42
    assert set(by_id.networks) == {"203.0.0.0/16", "198.51.0.0/16"}


def test_nobody_is_nobody() -> None:
    known = baseline(*weeks(oid="", caller=""))
    assert known.count == 42
    assert known.of(did(oid="", caller="")) is None


def test_callers_beyond_the_room_are_not_learned_and_then_nothing_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 40)
    crowd = [did(at=SINCE - 9 * DAY, oid=f"{n:08x}-0-0-0-0", caller=f"user{n}@contoso.example") for n in range(100)]
    known = baseline(*crowd, *weeks())
    assert known.full
    assert not known.covers
    assert known.of(did()) is None
    assert len(known._callers) <= 5


def test_names_beyond_the_room_make_a_history_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 40)
    many = [did(f"microsoft.made/up{n}/write", at=SINCE - 9 * DAY) for n in range(1000)]
    known = baseline(*weeks(), *many)
    history = known.of(did())
    assert history
    assert history.partial
    assert len(history.operations) < 50


def test_of_a_suspect_more_is_learned_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 40)
    its = module.Baseline(SINCE - 21 * DAY, SINCE, frozenset({NORA}))
    for one in weeks(oid=OMAR, operation="microsoft.web/sites/write"):
        its.add(one)
    for n in range(3000):
        its.add(did(f"microsoft.made/up{n}/write", at=SINCE - 9 * DAY))
    history = its.of(did())
    assert history
    assert len(history.operations) == 2000
    assert history.partial


def test_the_busiest_day_counts_by_kind() -> None:
    deletions = weeks(3, 4, operation="microsoft.web/sites/delete")
    failed = weeks(3, 9, operation="microsoft.web/sites/delete", outcome="failed")
    history = baseline(*weeks(), *deletions, *failed).of(did())
    assert history
    assert history.busiest("deletions") == 4
    assert history.busiest("machines made") == 0


@pytest.mark.parametrize(
    ("address", "wide"),
    [
        (HOME, "203.0.0.0/16"),
        (f"{HOME}:55443", "203.0.0.0/16"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "203.0.0.0/16"),
        ("<Redacted>", ""),
        ("", ""),
        ("203.0.113", ""),
    ],
)
def test_networks(address: str, wide: str) -> None:
    assert network(address) == wide
