"""What it costs to take many accounts out of many groups: calls and seconds, by the number of accounts.

One step of the playbook, users.remove_group_memberships, as the workflow runs it: accounts side by side, the changes of
each in batches. The floor is what cannot be left out: of each account its groups, what it owns and the log; a write for
each membership; and its groups again, to see that it shows.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from azure.core.pipeline.transport import AioHttpTransport
from rich.table import Table

from playbooks.changes import AT_ONCE
from playbooks.run import BATCH
from responders.azure import Azure
from responders.model import Alert, Case, Change, Plan, Principal, Subject
from responders.settings import Settings
from responders.users.remove_group_memberships import RemoveGroupMemberships
from sandbox.azure import Clock, Sandbox, World
from sandbox.azure.directory import iso

Json = dict[str, Any]
T = TypeVar("T")
ACCOUNTS = (10, 50, 200)
GROUPS = 20  # memberships of each
LATENCY = 0.05  # seconds an answer of Azure takes
SIDE_BY_SIDE = 10  # activities that one worker runs at a time
_READS = 4  # of each account that cannot be left out
_ACTION = RemoveGroupMemberships()
_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_RESPONDER, _SUBSCRIPTION = "9d4f6a10-55c2-4f0e-9b7a-3e2d1c0b9a88", "11111111-2222-4333-8444-555555555555"


class Figures(NamedTuple):
    """Of one run."""

    accounts: int
    reads: int
    writes: int
    logs: int  # of the reads, those of Entra's log: Graph answers five of them in ten seconds
    seconds: float
    left: int  # memberships that are still there

    @property
    def floor(self) -> int:
        return self.accounts * (GROUPS + _READS)


async def table() -> Table:
    """One row for each number of accounts."""
    names = ("accounts", "memberships", "calls", "floor", "ratio", "log", "seconds", "each")
    found = Table(*names, title=f"Group memberships taken back, at {LATENCY * 1000:.0f} ms a call")
    for accounts in ACCOUNTS:
        its = await measure(accounts)
        if its.left:
            raise RuntimeError(f"{its.left} memberships are still there.")
        memberships, calls = accounts * GROUPS, its.reads + its.writes
        counts = map(str, (accounts, memberships, calls, its.floor))
        each = f"{its.seconds / memberships * 1000:.1f} ms"
        found.add_row(*counts, f"{calls / its.floor:.2f}", str(its.logs), f"{its.seconds:.1f} s", each)
    return found


async def measure(accounts: int) -> Figures:
    """Plan, make and verify all changes of so many accounts."""
    async with Sandbox(_world(accounts), clock=Clock(_NOW), latency=LATENCY) as sandbox:
        planted = _plant(sandbox)
        said = {"COUNTERSIGN_SUBSCRIPTIONS": _SUBSCRIPTION, "COUNTERSIGN_EVIDENCE": "memory://"}
        settings = Settings.load({**sandbox.environment(_RESPONDER), **said})
        async with AioHttpTransport(connection_verify=sandbox.ca_file) as transport:
            azure = Azure(settings, sandbox.credential(_RESPONDER), transport)
            first, began = len(sandbox.requests), time.perf_counter()
            await _respond(azure, _case(planted))
            seconds = time.perf_counter() - began
        mine = Counter(
            (r.method, "directoryAudits" in r.path) for r in sandbox.requests[first:] if r.service == "graph"
        )
        members = sandbox.world.directory.members.values()
    reads = sum(n for (method, _), n in mine.items() if method == "GET")
    writes, logs = sum(mine.values()) - reads, mine["GET", True]
    return Figures(accounts, reads, writes, logs, seconds, sum(map(len, members)))


async def _respond(azure: Azure, case: Case) -> None:
    async def playbook(suspect: Principal) -> None:
        subject = Subject(kind="user", id=suspect.id, name=suspect.upn)
        plan: Plan = await _ACTION.plan(case, subject, azure)
        for doing in (_ACTION.apply, _ACTION.verify):
            for start in range(0, len(plan.changes), BATCH):
                batch: Sequence[Change] = plan.changes[start : start + BATCH]
                await _gathered(AT_ONCE, [doing(change, azure) for change in batch])

    await _gathered(SIDE_BY_SIDE, [playbook(suspect) for suspect in case.suspects])


async def _gathered(at_once: int, what: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    room = asyncio.Semaphore(at_once)

    async def one(which: Coroutine[Any, Any, T]) -> T:
        async with room:
            return await which

    return await asyncio.gather(*(one(which) for which in what))


def _world(accounts: int) -> World:
    world = World()
    people = [f"user{n}@contoso.example" for n in range(accounts)]
    responder = {"name": "responder", "appId": _RESPONDER, "kind": "managed_identity"}
    world.load(
        {
            "users": [{"upn": upn} for upn in people],
            "service_principals": [{**responder, "graph_permissions": list(_ACTION.permissions)}],
            "groups": [{"name": f"group {n}", "members": people} for n in range(GROUPS)],
        },
        _NOW - timedelta(days=30),
    )
    return world


def _plant(sandbox: Sandbox) -> list[Json]:
    """Let the log say that the first user added them all. Returns the users."""
    directory = sandbox.world.directory
    users = [o for o in directory.objects.values() if o.get("userPrincipalName")]
    by = {"user": {"id": users[0]["id"], "userPrincipalName": users[0]["userPrincipalName"]}, "app": None}
    for group, members in directory.members.items():
        name = {"displayName": "Group.ObjectID", "oldValue": None, "newValue": f'"{group}"'}
        directory.audits += [
            {
                "id": f"{group}-{member}",
                "result": "success",
                "activityDisplayName": "Add member to group",
                "activityDateTime": iso(_NOW - timedelta(hours=1)),
                "initiatedBy": by,
                "targetResources": [{"id": member, "modifiedProperties": [name]}, {"id": group}],
            }
            for member in members
        ]
    return users


def _case(users: list[Json]) -> Case:
    alert = Alert(name="a", type="t", title="t", severity="High", status="Active", start=_NOW, end=_NOW)
    return Case(
        incident="bench",
        alert=alert,
        subscription=_SUBSCRIPTION,
        tenant="",
        suspects=tuple(Principal(id=u["id"], kind="user", upn=u["userPrincipalName"]) for u in users),
        since=_NOW - timedelta(days=1),
        until=_NOW,
    )


if __name__ == "__main__":
    from rich.console import Console

    Console().print(asyncio.run(table()))
