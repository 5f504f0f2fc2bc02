"""Made-up weeks of ordinary work before a window, and windows that have seen them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from responders.investigation.activity import Activity
from responders.investigation.baseline import Baseline
from responders.investigation.rules import Rules
from responders.investigation.scoring import Score
from responders.investigation.trace import Trace
from responders.investigation.window import Window
from responders.model import Principal
from tests.responders.investigation.activities import AT, GROUP, activity

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE = AT - DAY  # where the window begins
BEGAN = SINCE - 21 * DAY  # where the baseline does
CLI, POWERSHELL = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "1950a258-227b-4e31-a9cf-717495945fc2"
HOME, AWAY = "203.0.113.10", "198.51.100.7"
NORA, OMAR = "aaaaaaaa-1111-4222-8333-444444444444", "bbbbbbbb-1111-4222-8333-444444444444"
RESTART, RUN = "microsoft.compute/virtualmachines/restart/action", "microsoft.compute/virtualmachines/runcommand/action"
_made = iter(range(1, 1_000_000))


def did(operation: str = RESTART, **fields: Any) -> Activity:
    """What Nora does, from home and by the CLI, in the window. `after`: hours from the window's start."""
    n = next(_made)
    at = SINCE + HOUR * fields.pop("after", 24)
    usual = {"oid": NORA, "caller": "nora@contoso.example", "address": HOME, "appid": CLI, "amr": ("pwd", "mfa")}
    usual |= {"events": (f"e{n}",), "correlation": f"c{n}", "at": at, "until": at, "idtyp": "user"}
    return activity(operation, **{**usual, **fields})


def resource(kind: str, name: str) -> str:
    return f"{GROUP}/providers/{kind}/{name}"


def weeks(days: int = 21, each: int = 2, **fields: Any) -> list[Activity]:
    """What somebody did on each of so many days before the window, around noon."""
    return [
        did(at=SINCE - n * DAY + timedelta(minutes=k), **{"operation": RESTART, **fields})
        for n in range(1, days + 1)
        for k in range(each)
    ]


def baseline(*history: Activity) -> Baseline:
    its = Baseline(BEGAN, SINCE)
    for one in history:
        its.add(one)
    return its


def suspect(oid: str = NORA, **fields: Any) -> Principal:
    return Principal(id=oid, kind="user", **fields)


def seen(activities: Iterable[Activity], *suspects: Principal, rules: Rules | None = None, us: str = "") -> Window:
    """A window that has seen these."""
    window = Window(rules or Rules.load(), suspects or (suspect(),), BEGAN, SINCE, us)
    for one in activities:
        window.take(one)
    return window


def scored(*activities: Activity, history: Iterable[Activity] = ()) -> list[tuple[Trace, Score]]:
    """What Nora's activities come to, oldest first."""
    return list(seen([*history, *activities]).scored())


def points(its: Score) -> dict[str, float]:
    return {point.signal: point.points for point in its.points}
