"""What activities mean together: stages of one doing, and a success after a failure.

A chain is a list of stages. Each hands on names (of a resource, of an identity), and the next one is looked for by
them; so activities are seen once, in order of time, and none is compared with all others.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from responders.investigation.signals import Signal
from responders.investigation.trace import Trace

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How a refusal shows that is worth trying again: no right to it, or something (a setting, a lock) in the way.
_REFUSED = frozenset({"forbidden", "unauthorized", "authorizationfailed", "conflict"})
# Rules that see that something was opened, and what is then read of it.
_OPENED = frozenset({"storage-network-opened", "storage-made-public", "local-keys-enabled", "key-vault-network-opened"})
_KEYS = ("keys/action", "/listaccountsas/action", "/listservicesas/action", "/listconnectionstrings/action")
_WRITES_A_RUNBOOK = (
    "/runbooks/write",
    "/runbooks/draft/write",
    "/runbooks/draft/content/write",
    "/runbooks/publish/action",
)
_LOCK, _RUNBOOK = "/providers/microsoft.authorization/locks/", "/runbooks/"

Names = Callable[[Trace], Iterable[str]]


def _caller(trace: Trace) -> Iterable[str]:
    return (trace.who,)


def _itself(trace: Trace) -> Iterable[str]:
    return (f"{trace.who} {trace.activity.resource.lower()}",)


def _named(trace: Trace) -> Iterable[str]:
    return [f"{trace.who} {name}" for name in trace.names]


def _runbook(trace: Trace) -> Iterable[str]:
    account, _, rest = trace.activity.resource.lower().partition(_RUNBOOK)
    return (f"{trace.who} {account}{_RUNBOOK}{rest.partition('/')[0]}",)


def _runbook_named(trace: Trace) -> Iterable[str]:
    account = trace.activity.resource.lower().rsplit("/", 2)[0]
    return [f"{trace.who} {account}{_RUNBOOK}{name}" for name in trace.names]


def _locked(trace: Trace) -> Iterable[str]:
    return (f"{trace.who} {trace.activity.resource.lower().partition(_LOCK)[0]}",)


def _above(trace: Trace) -> Iterator[str]:
    """The resource, and all that it lies in."""
    path = trace.activity.resource.lower()
    while path:
        yield f"{trace.who} {path}"
        path = path.rpartition("/")[0]


def _given(trace: Trace) -> Iterable[str]:
    return [name for name in trace.names if name != trace.who]


def _always(_trace: Trace) -> bool:
    return True


def _opened(trace: Trace) -> bool:
    return any(match.name in _OPENED for match in trace.matches)


def _grave(trace: Trace) -> bool:
    return any(match.level in {"high", "critical"} for match in trace.matches)


def _ruled(trace: Trace) -> bool:
    return bool(trace.matches)


class Stage(NamedTuple):
    """One stage: an operation by the end of its name, found by what the stage before hands on."""

    ends: tuple[str, ...]
    takes: Names
    gives: Names
    when: Callable[[Trace], bool] = _always


class Chain(NamedTuple):
    """Stages in order, each within some time of the one before. It counts from the stage `enough` on."""

    what: str
    within: timedelta
    enough: int
    stages: tuple[Stage, ...]


CHAINS = (
    Chain(
        "a copy of a disk was made, a disk from the copy, and a machine with that disk",
        DAY,
        1,
        (
            Stage(("/snapshots/write", "/restorepoints/write"), _itself, _itself),
            Stage(("/disks/write",), _named, _itself),
            Stage(("/virtualmachines/write",), _named, _itself),
        ),
    ),
    Chain(
        "a lock was removed, and then what it protected was deleted",
        DAY,
        1,
        (Stage(("microsoft.authorization/locks/delete",), _itself, _locked), Stage(("/delete",), _above, _itself)),
    ),
    Chain(
        "access to everything was taken, and then a role assigned",
        DAY,
        1,
        (
            Stage(("microsoft.authorization/elevateaccess/action",), _caller, _caller),
            Stage(("microsoft.authorization/roleassignments/write",), _caller, _caller),
        ),
    ),
    Chain(
        "a runbook was written, run, and deleted again",
        HOUR,
        2,
        (
            Stage(_WRITES_A_RUNBOOK, _runbook, _runbook),
            Stage(("/automationaccounts/jobs/write",), _runbook_named, _runbook_named),
            Stage(("/automationaccounts/runbooks/delete",), _runbook, _runbook),
        ),
    ),
    Chain(
        "a runbook was written, and then a webhook that starts it from outside",
        HOUR,
        1,
        (
            Stage(_WRITES_A_RUNBOOK, _runbook, _runbook),
            Stage(("/automationaccounts/webhooks/write",), _runbook_named, _runbook_named),
        ),
    ),
    Chain(
        "it was opened, and then its keys were read",
        DAY,
        1,
        (Stage(("/write",), _itself, _itself, _opened), Stage(_KEYS, _itself, _itself)),
    ),
    Chain(
        "an identity was given a powerful role, and then acted",
        DAY,
        1,
        (
            Stage(("microsoft.authorization/roleassignments/write",), _caller, _given, _grave),
            Stage(("",), _caller, _caller, _ruled),
        ),
    ),
)


class Chains:
    """Sees traces in order of time, and tells those of them that belong together."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int, str], tuple[Trace, ...]] = {}
        self._refused: dict[tuple[str, str], Trace] = {}

    def see(self, trace: Trace) -> None:
        """Look at one. Signals are put on it and on those before it."""
        if trace.activity.outcome == "failed":
            self._fail(trace)
            return
        self._retried(trace)
        for number, stage_number in _stages(trace.activity.operation):
            chain = CHAINS[number]
            stage = chain.stages[stage_number]
            if not stage.when(trace):
                continue
            path: tuple[Trace, ...] = (trace,)
            if stage_number:
                before = self._before(number, stage_number - 1, stage.takes(trace), trace, chain.within)
                if before is None:
                    continue
                path = (*before, trace)
            for name in stage.gives(trace):
                self._open[number, stage_number, name] = path
            if stage_number >= chain.enough:
                events = tuple(dict.fromkeys(event for one in path for event in one.activity.events))
                for one in path:
                    one.found(Signal("chain", chain.what, events))

    def _before(
        self, chain: int, stage: int, names: Iterable[str], trace: Trace, within: timedelta
    ) -> tuple[Trace, ...] | None:
        for name in names:
            path = self._open.get((chain, stage, name))
            if path and path[-1] is not trace and trace.activity.at - path[-1].activity.at <= within:
                return path
        return None

    def _fail(self, trace: Trace) -> None:
        if trace.activity.status.lower() in _REFUSED:
            for what in (trace.activity.operation, trace.activity.resource.lower()):
                self._refused[trace.who, what] = trace

    def _retried(self, trace: Trace) -> None:
        for what in (trace.activity.operation, trace.activity.resource.lower()):
            before = self._refused.get((trace.who, what))
            if before and trace.activity.at - before.activity.at <= HOUR:
                said = (
                    f"the same was refused to the caller at {before.activity.at:%H:%M} UTC ({before.activity.status})"
                )
                trace.found(Signal("failed_before", said, before.activity.events))
                return


@lru_cache(maxsize=4096)
def _stages(operation: str) -> tuple[tuple[int, int], ...]:
    """Which stages of which chains an operation may be; of one chain the last first, so that none follows itself."""
    return tuple(
        (number, stage)
        for number, chain in enumerate(CHAINS)
        for stage in reversed(range(len(chain.stages)))
        if operation.endswith(chain.stages[stage].ends)
    )
