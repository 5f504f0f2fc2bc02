import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import msgspec
import pytest

from responders.evidence import Evidence
from responders.model import Finding, Json, Principal, Suspicion
from responders.pages import report as report_page
from responders.pages.markup import visible
from responders.pages.timeline.axis import Axis
from responders.pages.timeline.labels import Label, cut, placed, width
from responders.pages.timeline.lanes import CALLERS, SUSPECTS, lanes
from responders.pages.timeline.picture import picture
from responders.pages.timeline.shapes import KINDS
from responders.report import write
from tests.responders.seen import kept
from tests.responders.story import ALERT, ANN, FINDINGS, MALLORY, NOON, ONE, PLAN, TWO, WHERE, Story

START = ALERT.start
PIPELINE = Principal(id="e" * 32, kind="service_principal", name="deploy", app_id="f" * 32, because="Mallory made it.")


def finding(minutes: float = 0, *, caller: str = MALLORY.id, level: Suspicion = "none", **fields: str) -> Finding:
    score = {"suspicious": 12.0, "notable": 5.0, "none": 1.0}[level]
    changed = {"at": START + timedelta(minutes=minutes), "caller": caller, "level": level, "score": score, **fields}
    return msgspec.structs.replace(FINDINGS[0], suspect=caller == MALLORY.id, **changed)


async def report(*findings: Finding, suspects: tuple[Principal, ...] = (MALLORY,)) -> Json:
    """The report of an incident with these activities, as it is kept."""
    story = Story(Evidence.at("memory://"), suspects=suspects)
    await story.alerted()
    await story.examined()
    await story.asked()
    await story.answered("unexpected")
    await story.investigated(WHERE, findings=findings)
    step = await story.planned(PLAN)
    await story.voted(step, PLAN, ANN)
    await story.decided(step, "approved", PLAN)
    await story.applied(step, ONE)
    await story.applied(step, TWO, "failed", "It is locked.")
    await story.closed("unfinished")
    await write(story.incident, story.run)
    return await kept(story.incident)


async def drawn(*findings: Finding, suspects: tuple[Principal, ...] = (MALLORY,)) -> Element:
    found = picture(await report(*findings, suspects=suspects))
    assert found is not None
    return found


def texts(figure: Element) -> list[str]:
    return [one.text or "" for one in figure.iter("text")]


def marks(figure: Element, kind: str) -> list[str]:
    """The classes of the marks of a kind; the legend's are not among them."""
    found = [one.get("class", "") for group in figure.iter("g") if not group.get("transform") for one in group]
    return [look for look in found if look.startswith(f"mark {kind}")]


def spans(labels: Sequence[Label]) -> list[tuple[int, float, float]]:
    return sorted((label.row, *label.ends) for label in labels)


async def test_suspects_stand_first_then_other_callers_then_people_and_countersign() -> None:
    one = finding(1, caller="carol", name="carol@contoso.example", level="notable")
    two = finding(2, caller="dave", level="suspicious")
    made = finding(3, caller=PIPELINE.app_id)
    shown = lanes(await report(finding(), one, two, made, suspects=(MALLORY, PIPELINE)))
    assert [lane.name for lane in shown] == [
        "Defender",
        "Mallory",
        "deploy",
        "dave",
        "carol@contoso.example",
        "People",
        "Countersign",
    ]
    assert [lane.what for lane in shown][1:4] == ["suspect user", "suspect service principal", "another caller"]
    assert [len(lane.marks) for lane in shown][:5] == [1, 1, 1, 1, 1]
    people, ours = shown[-2:]
    assert [m.words for m in people.marks] == [
        "asked olivia@contoso.example",
        "olivia@contoso.example: unexpected",
        "ann@contoso.example: approve",
    ]
    assert [(m.words, m.failed) for m in ours.marks] == [
        ("took the alert", False),
        ("delete the runbook one", False),
        ("failed: delete the runbook two", True),
        ("ended: unfinished", False),
    ]


async def test_every_activity_stands_in_one_lane_however_many_callers_there_are() -> None:
    many = [finding(n / 9, caller=f"caller {n % 50}") for n in range(200)]
    mine = [msgspec.structs.replace(finding(n, caller=f"s{n}"), suspect=True) for n in range(20)]
    shown = lanes(await report(*many, *mine))
    actors = [lane for lane in shown if lane.name not in {"Defender", "People", "Countersign"}]
    assert len(actors) == SUSPECTS + CALLERS
    assert sum(len(lane.marks) for lane in actors) == 220
    assert {"16 more suspects", "47 more callers"} <= {lane.name for lane in actors}


async def test_marks_tell_how_grave_an_activity_is_and_whether_it_failed() -> None:
    figure = await drawn(
        finding(0, level="suspicious"), finding(20, level="notable", outcome="failed"), finding(40, outcome="succeeded")
    )
    assert marks(figure, "suspicious") == ["mark suspicious"]
    assert marks(figure, "notable") == ["mark notable failed"]
    assert marks(figure, "none") == ["mark none"]
    assert marks(figure, "made") == ["mark made", "mark made failed"]
    style = Path(report_page.__file__).with_name("report.css").read_text()
    assert all(re.search(rf"\.{kind}\b", style) for kind in KINDS if kind != "none")


async def test_the_gravest_have_words() -> None:
    rest = [finding(n / 4, reason=f"read {n}") for n in range(200)]
    figure = await drawn(*rest, finding(7, level="suspicious", reason="Mallory gave rights", name="Mallory"))
    assert "gave rights" in texts(figure)
    assert not any(re.fullmatch(r"read \d+", words) for words in texts(figure))


async def test_the_alert_and_the_start_of_the_window_are_marked() -> None:
    figure = await drawn(finding())
    looks = [one.get("class") for one in figure.iter("path")]
    assert looks.count("alert-line") == looks.count("since") == 1
    assert ALERT.title in texts(figure)
    assert "looked at from here on" in texts(figure)
    assert {"24 h", "11:00", "1 Jan 2026", "2 Jan 2026"} <= set(texts(figure))


async def test_the_picture_is_told_to_those_who_do_not_see_it() -> None:
    figure = await drawn(finding(0, level="suspicious"), finding(1, caller="carol"))
    svg = figure[0]
    assert svg.get("role") == "img"
    named = {one.get("id"): one.text for one in svg}
    assert [named[id_] for id_ in (svg.get("aria-labelledby") or "").split()] == [
        "Timeline of the incident",
        "2 activities of 2 identities: 1 suspicious, 0 notable. Times are UTC.",
    ]


async def test_nothing_stands_outside_of_the_picture_and_no_style_is_inline() -> None:
    figure = await drawn(*[finding(n * 31, caller=f"c{n % 7}", level="suspicious") for n in range(90)])
    wide, high = (float(n) for n in (figure[0].get("viewBox") or "").split()[2:])
    for one in figure.iter():
        assert one.get("style") is None
        assert not any(name.startswith("on") for name in one.attrib)
        for name, most in (("x", wide), ("cx", wide), ("y", high), ("cy", high)):
            assert 0 <= float(one.get(name, "0")) <= most
    for words in figure.iter("text"):
        if words.get("class", "").startswith("label"):
            x, long = float(words.get("x", "")), width(words.text or "")
            assert (x - long if "end" in words.get("class", "") else x) >= 0
            assert (x if "end" in words.get("class", "") else x + long) <= wide


@pytest.mark.parametrize("count", [0, 1, 8, 300])
async def test_there_is_a_picture_of_few_and_of_many(count: int) -> None:
    figure = await drawn(*[finding(40 * n / 300) for n in range(count)])
    assert ("nothing found" in texts(figure)) == (count == 0)
    assert len(set(re.findall(r"\d\d:\d\d", " ".join(texts(figure))))) >= 2


async def test_ten_thousand_activities_are_shown_by_their_number() -> None:
    rng = random.Random(1)  # noqa: S311
    levels: list[Suspicion] = ["suspicious", "notable", "none"]
    figure = await drawn(
        *(
            finding(
                rng.random() * 1400,
                caller=rng.choice([MALLORY.id, *(f"c{n}" for n in range(90))]),
                level=rng.choice(levels),
                outcome=rng.choice(["failed", "succeeded"]),
                reason="x" * 500,
            )
            for _ in range(10_000)
        )
    )
    assert len(list(figure.iter())) < 6_000
    assert len(tostring(figure)) < 1_000_000
    assert any(re.fullmatch(r"\d{3}", words) for words in texts(figure))


async def test_one_grave_activity_among_thousands_is_seen() -> None:
    figure = await drawn(*[finding(n / 1000) for n in range(2_000)], finding(0.5, level="suspicious"))
    grave = [one for one in figure.iter("rect") if one.get("class") == "mark suspicious bar"]
    assert [float(one.get("height", "0")) >= 3 for one in grave] == [True]


async def test_text_of_others_stays_text_and_all_of_it_is_seen() -> None:
    bad = "</title><script>x</script>\u202e\x00"
    figure = await drawn(finding(level="suspicious", reason=bad, name=bad), finding(1, caller=bad, level="notable"))
    inside = tostring(figure, encoding="unicode", method="html")
    assert not re.search("<script|\u202e|\x00", inside)
    assert inside.count("</title>") == len(list(figure.iter("title")))
    assert visible(bad) in texts(figure)
    assert {one.tag for one in figure.iter()} <= {
        *("figure", "figcaption", "svg", "title", "desc", "g", "path", "rect", "circle", "text")
    }


async def test_an_incident_of_which_nothing_is_known_has_no_picture() -> None:
    known = await report()
    empty = {**known, "alert": None, "joined": [], "since": None, "journal": {**known["journal"], "list": []}}
    assert picture(empty) is None


def test_a_long_gap_is_folded_and_short_ones_are_not() -> None:
    weeks = Axis([NOON, NOON + timedelta(weeks=3)], 0, 700)
    assert [fold.words for fold in weeks.folds] == ["21 d"]
    assert Axis([NOON + timedelta(seconds=8 * n) for n in range(300)], 0, 700).folds == []
    assert Axis([NOON + timedelta(days=n) for n in range(20)], 0, 700).folds == []
    assert Axis([NOON, NOON + timedelta(minutes=59)], 0, 700).folds == []


def test_later_is_further_right() -> None:
    rng = random.Random(2)  # noqa: S311
    for _ in range(200):
        at = sorted(NOON + timedelta(seconds=rng.random() ** 9 * 1e8) for _ in range(rng.randrange(1, 60)))
        axis = Axis(at, 100, 800)
        places = [axis.x(one) for one in at]
        assert places == sorted(places)
        assert places[0] > 100
        assert places[-1] < 800
        ticks = list(axis.ticks())
        assert ticks
        assert all(a.x < b.x for a, b in pairwise(ticks))
        assert axis.spans[-1].right == pytest.approx(800)


def test_ticks_are_round() -> None:
    def times(minutes: float) -> list[str]:
        return [tick.time for tick in Axis([NOON, NOON + timedelta(minutes=minutes)], 0, 700).ticks()]

    hours = Axis([NOON + timedelta(minutes=50 * n) for n in range(30)], 0, 700)
    assert [tick.time for tick in hours.ticks()][:3] == ["12:00", "14:00", "16:00"]
    assert [tick.date for tick in hours.ticks()][:7] == ["2 Jan 2026", *[""] * 5, "3 Jan 2026"]
    assert times(40)[:3] == ["12:00", "12:05", "12:10"]
    assert times(0) == ["12:00"]
    days = Axis([NOON + timedelta(days=n) for n in range(20)], 0, 700)
    assert [tick.time for tick in days.ticks()][:3] == ["3 Jan", "5 Jan", "7 Jan"]


def test_the_ends_of_time_have_a_place() -> None:
    ends = [datetime.min.replace(tzinfo=UTC), NOON, datetime.max.replace(tzinfo=UTC)]
    axis = Axis(ends, 0, 700)
    assert [axis.x(at) for at in ends] == sorted(axis.x(at) for at in ends)
    assert len(list(axis.ticks())) < 50


def test_words_never_lie_over_words_or_lines() -> None:
    rng = random.Random(3)  # noqa: S311
    for _ in range(300):
        wanted = [
            (rng.choice([rng.uniform(100, 800), 400.0]), "w" * rng.randrange(1, 30) + str(n), rng.choice([1.0, 2500.0]))
            for n in range(rng.randrange(1, 25))
        ]
        labels = placed(wanted, 100, 800)
        assert labels
        assert max(labels, key=lambda label: label.weight).weight == max(weight for _, _, weight in wanted)
        for (row, _, end), (other, start, _) in pairwise(spans(labels)):
            assert row != other or end < start
        for words in labels:
            left, right = words.ends
            assert left >= 100
            assert right <= 800
            assert not any(left < line.x < right and line.row >= words.row for line in labels)


def test_a_text_is_cut_where_it_can_be_seen_and_fits() -> None:
    assert cut("short", 100) == "short"
    assert cut("a\n b\u202e", 100) == "a b\u27e8U+202E\u27e9"
    long = cut("m" * 10_000, 100)
    assert long.endswith("…")
    assert width(long) <= 100 + 12
    assert cut("漢" * 40, 100) == "漢" * 7 + "…"
    assert cut("", 100) == ""
