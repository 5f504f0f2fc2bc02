"""Results, as they are printed."""

from collections.abc import Iterable

from playbooks.doctor.check import Result
from playbooks.terminal import shown

_UNKNOWN = "can't tell"
_MARKS = {"ok": "ok    ", "broken": "BROKEN", _UNKNOWN: "?     "}


def text(results: Iterable[Result]) -> str:
    """A line each, with what to do beneath, the same only once; and a sentence at the end."""
    results = list(results)
    lines = []
    first: dict[tuple[str, str], str] = {}  # the check of which that was said already
    for one in results:
        lines.append(f"{_MARKS[one.state]} {one.check:<30} {shown(one.looked_at)}")
        if one.fix and (before := first.setdefault((one.why, one.fix), one.check)) != one.check:
            lines.append(f"       As {before}.")
            continue
        lines += [f"       {shown(line)}" for line in one.why.splitlines()]
        lines += [f"       fix: {shown(line)}" for line in one.fix.splitlines()]
    count = {state: sum(one.state == state for one in results) for state in _MARKS}
    lines.append(f"{count['ok']} ok, {count['broken']} broken, {count[_UNKNOWN]} can't be told.")
    return "\n".join(lines)
