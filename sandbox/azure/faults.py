"""Faults by name, at the nth call from now or at the calls that match.

throttled · throttled_without_header · internal · unavailable   answered instead of the service (429, 429, 500, 503)
reset          the connection is cut before anything happens
reply_lost     everything happens, and the connection is cut before the answer
eventual       a delete happens, and lists show the deleted for some more reads
"""

from dataclasses import dataclass, field
from http import HTTPStatus

from sandbox.azure.errors import ApiError

NAMES = ("throttled", "throttled_without_header", "internal", "unavailable", "reset", "reply_lost", "eventual")
_ANSWERS = {
    "throttled": (429, "TooManyRequests", "The request was throttled."),
    "throttled_without_header": (429, "TooManyRequests", "The request was throttled."),
    "internal": (500, "InternalServerError", "Encountered internal server error."),
    "unavailable": (503, "ServiceUnavailable", "The service is unavailable."),
}


@dataclass(slots=True)
class _Planned:
    name: str
    nth: int = 0  # counted down; 0: at every match
    method: str = ""
    part: str = ""
    caller: str = ""
    times: int = 1


@dataclass
class Faults:
    """What shall go wrong. `hits` tells what did: (name, method, path)."""

    retry_after: int = 1
    lag: int = 2  # reads that "eventual" lasts
    hits: list[tuple[str, str, str]] = field(default_factory=list)
    _planned: list[_Planned] = field(default_factory=list)

    def at(self, nth: int, name: str, *, caller: str = "") -> None:
        """At the nth call from now (1 is the next), of anyone or of one principal by object id, to whatever service."""
        self._plan(_Planned(name, nth=nth, caller=caller))

    def on(self, method: str, path_part: str, name: str, times: int = 1) -> None:
        """At the next `times` calls with this method ("" is any) whose path contains `path_part`, in any case."""
        self._plan(_Planned(name, method=method.upper(), part=path_part.lower(), times=times))

    def clear(self) -> None:
        """Plan nothing more, forget the hits."""
        self._planned.clear()
        self.hits.clear()

    def next(self, method: str, path: str, caller: str) -> str:
        """Name the fault of a call that comes in now; "" for none."""
        found = ""
        for planned in list(self._planned):
            if planned.caller not in {"", caller}:
                continue
            if planned.nth > 1:
                planned.nth -= 1
                continue
            if not found and planned.method in {"", method} and planned.part in path.lower():
                found = planned.name
                planned.times -= 1
                if planned.times <= 0:
                    self._planned.remove(planned)
        if found:
            self.hits.append((found, method, path))
        return found

    def answer(self, name: str) -> ApiError | None:
        """The refusal that a fault sends instead of the service's answer; None when it works otherwise."""
        if name not in _ANSWERS:
            return None
        status, code, message = _ANSWERS[name]
        wait = {"Retry-After": str(self.retry_after)} if name == "throttled" else {}
        return ApiError(HTTPStatus(status).value, code, message, headers=wait)

    def _plan(self, planned: _Planned) -> None:
        if planned.name not in NAMES:
            raise ValueError(f"No fault {planned.name!r}. Known: {', '.join(NAMES)}.")
        self._planned.append(planned)
