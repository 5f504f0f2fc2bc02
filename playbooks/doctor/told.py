"""Results, as they are printed."""

from collections.abc import Iterable

from playbooks.doctor.check import Result
from playbooks.terminal import shown

_UNKNOWN = "can't tell"
_MARKS = {"ok": "ok    ", "broken": "BROKEN", _UNKNOWN: "?     "}


def text(results: Iterable[Result]) -> str:
    """A line each, with what to do beneath; and a sentence at the end."""
    results = list(results)
    lines = []
    for one in results:
        lines.append(f"{_MARKS[one.state]} {one.check:<30} {shown(one.looked_at)}")
        lines += [f"       {shown(line)}" for line in one.why.splitlines()]
        lines += [f"       fix: {shown(line)}" for line in one.fix.splitlines()]
    count = {state: sum(one.state == state for one in results) for state in _MARKS}
    lines.append(f"{count['ok']} ok, {count['broken']} broken, {count[_UNKNOWN]} can't be told.")
    return "\n".join(lines)
