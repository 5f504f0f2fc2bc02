"""Whoever owes his rights to a suspect is not asked: "expected" would end the incident."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from sandbox.azure.clock import stamp
from tests.responders.test_owners import NSG, PROD, VM, WEB, World, takeover


@pytest.fixture
async def there() -> AsyncIterator[World]:
    async with takeover() as there:
        yield there


async def test_whom_a_suspect_put_into_the_owners_group_is_not_asked(there: World) -> None:
    there.untag()
    there.take("Owner")
    there.give("Owner", "Web Team")
    team, lena = (there.there.scene.who(name) for name in ("Web Team", "lena@contoso.example"))
    there.world.directory.owners[team] = [there.there.scene.who("eve@contoso.example")]
    body = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{lena}"}
    await there.does("eve", "post", f"graph:/groups/{team}/members/$ref", body)
    there.there.sandbox.clock.advance(timedelta(minutes=10))  # until the log shows it
    assert await there.asked() == {"dev": "has the role Owner on the subscription"}
    assert "lena@contoso.example, has the role Owner on the subscription, has rights from a suspect" in " ".join(
        (await there.found()).notes
    )


async def test_whose_group_a_suspect_gave_rights_to_is_not_asked(there: World) -> None:
    for scope in (PROD, WEB, VM, NSG):
        there.tag(scope, owner="dev@contoso.example")
    eve, now = there.there.scene.who("eve@contoso.example"), stamp(there.there.sandbox.clock.now())
    there.give("Contributor", "Web Team", createdBy=eve, createdOn=now)
    assert "dev" not in await there.asked()
