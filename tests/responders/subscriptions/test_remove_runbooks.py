"""Planted runbooks go with all that starts them, however they are written to meanwhile."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from responders.subscriptions.remove_runbooks import RemoveRunbooks
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked
from tests.responders.subscriptions.rehearsal import PROD, applied, planned

ACTION = RemoveRunbooks()
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Automation/automationAccounts/aa-ops"
PLANTED, HOOK, MORE = f"{ACCOUNT}/runbooks/Collect-Metrics", f"{ACCOUNT}/webhooks/metrics", f"{ACCOUNT}/webhooks/more"


@pytest.fixture
async def there() -> AsyncIterator[Attacked]:
    async with attacked(EXERCISES / "runbook-with-webhook.yaml", ACTION.permissions) as there:
        yield there


async def test_one_that_is_rewritten_and_gets_another_webhook_after_the_plan_goes_with_both(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == PLANTED)
    world, at = there.sandbox.world, there.sandbox.clock.now() + timedelta(hours=1)
    runbook, hook = world.get(PLANTED), world.get(HOOK)
    assert runbook
    assert hook
    later = {**runbook.properties, "lastModifiedTime": at.isoformat()}
    world.put(PLANTED, {**runbook.body, "tags": {"keep": "me"}, "properties": later})
    world.put(MORE, {**hook.body, "id": MORE, "name": "more"})

    outcome = await applied(there, ACTION, change)

    assert (outcome.status, [h["id"] for h in outcome.after["webhooks"]]) == ("done", [MORE])
    assert outcome.after["runbook"]["content"] == change.before["content"]
    assert PLANTED not in world
    assert MORE not in world


async def test_another_one_in_its_place_stays(there: Attacked) -> None:
    change = next(c for c in (await planned(there, ACTION)).changes if c.resource == PLANTED)
    runbook = there.sandbox.world.get(PLANTED)
    assert runbook
    anew = {**runbook.properties, "creationTime": there.sandbox.clock.now().isoformat()}
    there.sandbox.world.put(PLANTED, {**runbook.body, "properties": anew})

    assert (await applied(there, ACTION, change)).status == "drifted"

    assert PLANTED in there.sandbox.world
