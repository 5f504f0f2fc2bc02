"""A big subscription with an intruder's things among those of others, to measure responses in."""

import asyncio
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import aiohttp

from responders.actions import action
from responders.model import Alert, Case, Finding, Principal
from sandbox.azure import Clock, Sandbox, World
from sandbox.azure.well_known import made_up_id

Json = dict[str, Any]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO, LATELY = NOW - timedelta(days=30), NOW - timedelta(hours=1)
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
OPS, MALLORY = "ops@contoso.example", "mallory@contoso.example"
ACCOUNT = f"{SCOPE}/resourceGroups/rg-0/providers/Microsoft.Automation/automationAccounts/ops"
_RUNBOOK = "Microsoft.Automation/automationAccounts/runbooks"
_GROUPS = 20
_KINDS = (
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Web/sites",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Sql/servers",
    "Microsoft.ContainerInstance/containerGroups",
)


class Size(NamedTuple):
    """How much there is; of each, so much is the intruder's."""

    assignments: int
    resources: int
    runbooks: int
    intruders: int


async def attacked(size: Size, actions: Iterable[str]) -> World:
    """The world, with an identity for each action that has its rights and no others, and quota of its own."""
    world = World()
    identities = [identity(name, action(name).permissions) for name in actions]
    people = [f"user{n}@contoso.example" for n in range(size.assignments // _GROUPS + 1)]
    things = [_thing(n, MALLORY if n < size.intruders else OPS) for n in range(size.resources)]
    account = {"id": ACCOUNT, "location": "westeurope", "properties": {"state": "Ok"}}
    world.load(
        {
            "subscriptions": [{"id": SUBSCRIPTION, "name": "Production"}],
            "users": [{"upn": upn} for upn in (OPS, MALLORY, *people)],
            "resource_groups": [{"id": _group(n), "location": "westeurope"} for n in range(_GROUPS)],
            "resources": [account, *things],
            "service_principals": [its[0] for its in identities],
            "role_definitions": [its[1] for its in identities],
        },
        LONG_AGO,
    )
    grants = [
        {"scope": _group(n), "principal": person, **_origin(MALLORY if made < size.intruders else OPS)}
        for made, (person, n) in zip(range(size.assignments), product(people, range(_GROUPS)), strict=False)
    ]
    owners = [{"scope": SCOPE, "role": "Owner", "principal": upn} for upn in (OPS, MALLORY)]
    world.load({"role_assignments": [*grants, *owners, *(its[2] for its in identities)]}, LONG_AGO)
    if size.runbooks:
        await _plant(world, size)
    return world


def identity(name: str, rights: Iterable[str]) -> tuple[Json, Json, Json]:
    """A managed identity, a role with these rights, and its assignment at the subscription; as a world has them."""
    rights, client = tuple(rights), made_up_id("app", name)
    graph = [right for right in rights if "/" not in right]
    return (
        {"name": name, "appId": client, "kind": "managed_identity", "graph_permissions": graph},
        {"name": name, "scopes": [SCOPE], "actions": [right for right in rights if "/" in right]},
        {"scope": SCOPE, "role": name, "principal": client},
    )


def case(world: World) -> Case:
    """What an investigation finds of it: the intruder, and each of his writes."""
    me = (world.directory.find(MALLORY) or {})["id"]
    written = [
        (r.type, r.id) for r in world if {r.stamps.get("createdBy"), r.properties.get("createdBy")} & {MALLORY, me}
    ]
    written += [(r.type, r.id) for r in world.list(_RUNBOOK) if r.properties["lastModifiedBy"] == MALLORY]
    done = {"rule": "other", "reason": "", "at": LATELY, "caller": me, "outcome": "succeeded"}
    return Case(
        incident="bench",
        alert=Alert(name="a", type="t", title="t", severity="High", status="Active", start=LATELY, end=NOW),
        subscription=SUBSCRIPTION,
        tenant=world.tenant,
        suspects=(Principal(id=me, kind="user", upn=MALLORY),),
        since=NOW - timedelta(days=1),
        until=NOW,
        findings=tuple(
            Finding(operation=f"{kind}/write", resource=id_, **done) for kind, id_ in dict.fromkeys(written)
        ),
    )


def _group(n: int) -> str:
    return f"{SCOPE}/resourceGroups/rg-{n % _GROUPS}"


def _origin(by: str) -> Json:
    mine = by == MALLORY
    return {"role": "Owner" if mine else "Reader", "created_by": by, "created": LATELY if mine else LONG_AGO}


def _thing(n: int, by: str) -> Json:
    kind, at = _KINDS[n % len(_KINDS)], (LATELY if by == MALLORY else LONG_AGO).isoformat()
    made = {"createdBy": by, "createdByType": "User", "createdAt": at}
    return {
        "id": f"{_group(n // len(_KINDS))}/providers/{kind}/thing{n}",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "text": "x" * 300},
        "systemData": {**made, **{name.replace("created", "lastModified"): value for name, value in made.items()}},
    }


async def _plant(world: World, size: Size) -> None:
    """Runbooks, published and each with a webhook; made by REST, since that is how anybody makes them."""
    clock = Clock(LONG_AGO)
    async with Sandbox(world, clock=clock) as sandbox:
        sandbox.throttle.on = False
        connector = aiohttp.TCPConnector(limit=16, ssl=ssl.create_default_context(cafile=sandbox.ca_file))
        async with aiohttp.ClientSession(sandbox.endpoints.arm, connector=connector, raise_for_status=True) as session:

            async def runbook(n: int, who: Json) -> None:
                path, version = f"{ACCOUNT}/runbooks/book{n}", {"api-version": "2024-10-23"}
                body: Json = {"location": "westeurope", "properties": {"runbookType": "PowerShell", "draft": {}}}
                hook: Json = {"runbook": {"name": f"book{n}"}, "isEnabled": True}
                hook |= {"expiryTime": (NOW + timedelta(days=300)).isoformat()}
                hook |= {"uri": f"https://bench.webhook.we.azure-automation.net/webhooks?token=t{n}"}
                for method, url, sent in (
                    ("PUT", path, {"json": body}),
                    ("PUT", f"{path}/draft/content", {"data": "Get-AzContext\n" * 50}),
                    ("POST", f"{path}/publish", {}),
                    ("PUT", f"{ACCOUNT}/webhooks/hook{n}", {"json": {"name": f"hook{n}", "properties": hook}}),
                ):
                    async with session.request(method, url, params=version, headers=who, **sent):
                        pass

            for upn, at, numbers in (
                (OPS, LONG_AGO, range(size.intruders, size.runbooks)),
                (MALLORY, LATELY, range(size.intruders)),
            ):
                clock.set(at)
                who = {"Authorization": f"Bearer {sandbox.token(upn, 'arm')}"}
                await asyncio.gather(*(runbook(n, who) for n in numbers))
