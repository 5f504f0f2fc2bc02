"""What else is in Automation accounts: planted ones go, what can't be read back is purged, changed ones are told."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from responders.actions import action
from responders.model import Finding
from responders.subscriptions.purge_automation_assets import PurgeAutomationAssets
from responders.subscriptions.remove_automation_assets import RemoveAutomationAssets
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

REMOVE, PURGE = RemoveAutomationAssets(), PurgeAutomationAssets()
KIND = "Microsoft.Automation/automationAccounts"
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/{KIND}/aa-ops"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    rights = {*REMOVE.permissions, *PURGE.permissions}
    async with attacked(EXERCISES / "planted-automation-assets.yaml", rights) as there:
        yield there


def deed(there: Attacked, operation: str, asset: str) -> Finding:
    [finding, *_] = [f for f in there.case.findings if f.suspect]
    resource = f"{ACCOUNT}/{asset}"
    return msgspec.structs.replace(finding, operation=f"{KIND}/{operation}", resource=resource, outcome="succeeded")


async def test_what_undo_can_make_anew_is_apart_from_what_nobody_can(there: Attacked) -> None:
    removed = {c.resource.removeprefix(f"{ACCOUNT}/") for c in (await planned(there, REMOVE)).changes}
    purged = {c.resource.removeprefix(f"{ACCOUNT}/") for c in (await planned(there, PURGE)).changes}
    assert "variables/Endpoint" in removed
    assert {"variables/Key", "credentials/backup", "runtimeEnvironments/tools/packages/Az.Storage"} <= purged
    assert not removed & purged
    assert action(PURGE.id).reversible is False


async def test_a_group_goes_with_its_workers_and_a_worker_alone_from_an_honest_group(there: Attacked) -> None:
    changes = {c.resource: c.summary for c in (await planned(there, REMOVE)).changes}
    assert changes[f"{ACCOUNT}/hybridRunbookWorkerGroups/new-site"].endswith("with the workers vm-web-1")
    assert [id_ for id_ in changes if "/on-premises/" in id_]
    assert f"{ACCOUNT}/hybridRunbookWorkerGroups/on-premises" not in changes


async def test_an_honest_module_that_he_overwrote_is_for_a_person(there: Attacked) -> None:
    findings = (*there.case.findings, deed(there, "modules/write", "modules/Contoso.Tools"))
    plan = await planned(there, PURGE, findings=findings)
    assert f"{ACCOUNT}/modules/Contoso.Tools" not in {change.resource for change in plan.changes}
    assert any("wrote the module Contoso.Tools of aa-ops, which was there before" in line for line in plan.by_hand)
    assert f"{ACCOUNT}/modules/Contoso.Tools" in there.sandbox.world


async def test_one_that_he_deleted_is_told_once(there: Attacked) -> None:
    findings = (*there.case.findings, deed(there, "variables/delete", "variables/Zone"))
    plans = [await planned(there, one, findings=findings) for one in (REMOVE, PURGE)]
    assert len([line for plan in plans for line in plan.by_hand if "Zone" in line]) == 1


async def test_one_with_a_name_that_is_not_handled_is_told_and_keeps_no_other_from_going(there: Attacked) -> None:
    odd, found = f"{ACCOUNT}/credentials/it's", there.sandbox.world.get(f"{ACCOUNT}/credentials/backup")
    assert found
    there.sandbox.world.put(odd, {**found.body, "id": odd, "name": "it's"})

    plan = await planned(there, PURGE)

    assert f"{ACCOUNT}/credentials/backup" in {change.resource for change in plan.changes}
    assert [odd in line for line in plan.by_hand if "not handled" in line] == [True]


async def test_what_every_account_has_is_nobodys(there: Attacked) -> None:
    module = there.sandbox.world.get(f"{ACCOUNT}/modules/Az.Accounts")
    assert module
    there.sandbox.world.put(module.id, {**module.body, "properties": {**module.properties, "isGlobal": True}})
    assert module.id not in {change.resource for change in (await planned(there, PURGE)).changes}


async def test_one_that_is_written_to_after_the_plan_goes_and_another_of_its_name_stays(there: Attacked) -> None:
    change = next(c for c in (await planned(there, REMOVE)).changes if c.resource.endswith("/variables/Endpoint"))
    there.sandbox.clock.advance(timedelta(hours=1))
    found = there.sandbox.world.get(change.resource)
    assert found
    now = there.sandbox.clock.now().isoformat()
    there.sandbox.world.put(found.id, {**found.body, "properties": {**found.properties, "creationTime": now}})
    assert (await applied(there, REMOVE, change)).status == "drifted"
    assert found.id in there.sandbox.world
    there.sandbox.world.put(found.id, {**found.body, "properties": {**found.properties, "lastModifiedTime": now}})
    outcome = await applied(there, REMOVE, change)
    assert (outcome.status, outcome.after["item"]["properties"]["lastModifiedTime"]) == ("done", now)
    assert found.id not in there.sandbox.world
