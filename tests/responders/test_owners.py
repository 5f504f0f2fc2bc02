"""Whom the responder asks about an attack, read from a whole Azure with exactly the rights that this takes."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from responders import owners
from responders.owners import Found
from sandbox.azure import authorization
from sandbox.azure.clock import stamp
from sandbox.people import People
from sandbox.world_file import Call
from tests.laws.stage import Attacked, attacked

TAKEOVER = Path(__file__).parents[1] / "api" / "takeover.yaml"
PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
WEB = f"{PROD}/resourceGroups/rg-web"
VM = f"{WEB}/providers/Microsoft.Compute/virtualMachines/vm-web-1"
NSG = f"{WEB}/providers/Microsoft.Network/networkSecurityGroups/nsg-web"
ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
}


class World:
    """The world of the takeover, to be changed by a test before it asks who is asked."""

    def __init__(self, there: Attacked, people: People) -> None:
        self.there, self.people, self.world = there, people, there.sandbox.world
        self.settings: dict[str, Any] = {}
        self.case = there.case

    def tag(self, scope: str, **tags: str) -> None:
        found = self.world.get(scope)
        assert found
        self.world.put(scope, {**found.body, "tags": tags})

    def untag(self) -> None:
        for scope in (PROD, WEB, VM, NSG):
            self.tag(scope)

    def account(self, who: str, **properties: object) -> None:
        self.world.directory.objects[self.there.scene.who(f"{who}@contoso.example")].update(properties)

    def give(self, role: str, who: str, scope: str = PROD, **more: Any) -> None:
        authorization.assign(self.world, scope, ROLES[role], self.there.scene.who(who), str(uuid.uuid4()), **more)

    def take(self, role: str) -> None:
        """Take that role from all."""
        for one in list(self.world.list(authorization.TYPE)):
            if one.properties["roleDefinitionId"].endswith(ROLES[role]):
                self.world.delete(one.id)

    def about(self, *resources: str) -> None:
        """Have the alert name these."""
        self.case = self.case.having(alert=msgspec.structs.replace(self.case.alert, resources=resources))

    async def does(self, by: str, method: str, target: str, body: object) -> None:
        call = {"at": "PT0S", "as": f"{by}@contoso.example", method: target, "body": body}
        await self.people.make(msgspec.convert(call, Call), "the test")

    async def contact(self, **properties: object) -> None:
        url = f"{self.there.sandbox.endpoints.arm}{PROD}/providers/Microsoft.Security/securityContacts/default"
        token = self.there.sandbox.token(self.there.scene.who("owner@contoso.example"), "arm")
        async with self.people._session.put(
            url,
            params={"api-version": "2023-12-01-preview"},
            json={"properties": properties},
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            assert answer.status == 201

    async def found(self) -> Found:
        settings = msgspec.structs.replace(self.there.azure.settings, owners=(), **self.settings)
        return await owners.find(self.there.azure, self.case, settings)

    async def asked(self) -> dict[str, str]:
        """Names and why."""
        return {o.person.name.partition("@")[0]: o.why for o in (await self.found()).owners}


@asynccontextmanager
async def takeover(rights: Iterable[str] = owners.PERMISSIONS) -> AsyncIterator[World]:
    async with attacked(TAKEOVER, rights) as there, People(there.sandbox, there.scene) as people:
        yield World(there, people)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with takeover() as there:
        yield there


# Tags


async def test_the_narrowest_tag_decides(world: World) -> None:
    world.about(VM)
    world.tag(VM, owner="ops@contoso.example")
    assert await world.asked() == {"ops": "named by the tag owner of resource vm-web-1"}
    world.tag(VM)
    assert await world.asked() == {"owner": "named by the tag owner of resource group rg-web"}
    world.tag(WEB)
    assert await world.asked() == {
        "owner": "named by the tag owner of subscription 3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
    }


async def test_a_tag_may_have_another_name_and_hold_several_people(world: World) -> None:
    world.tag(
        PROD, owner="dev@contoso.example", Contact="ops@contoso.example; IAM@contoso.example, nobody@contoso.example"
    )
    world.settings = {"owner_tags": ("contact", "owner")}
    assert set(await world.asked()) == {"ops", "iam"}


async def test_a_tag_may_name_an_address_that_is_no_principal_name(world: World) -> None:
    world.account("ops", mail="omar.ops@mail.contoso.example")
    world.tag(PROD, owner="omar.ops@mail.contoso.example")
    [owner] = (await world.found()).owners
    assert (owner.person.name, owner.person.address) == ("ops@contoso.example", "omar.ops@mail.contoso.example")


async def test_a_tag_that_a_suspect_wrote_does_not_count(world: World) -> None:
    world.give("Contributor", "eve@contoso.example")
    tags = f"{WEB}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
    await world.does("eve", "put", tags, {"properties": {"tags": {"owner": "soc@contoso.example"}}})
    world.case = world.case.having(until=world.there.sandbox.clock.now() + timedelta(minutes=1))
    world.about(WEB)
    found = await world.found()
    assert [o.person.name for o in found.owners] == ["owner@contoso.example"]
    assert found.owners[0].why.startswith("named by the tag owner of subscription")
    assert found.notes == (
        "The tag owner of resource group rg-web was not believed: a suspect wrote there in the window.",
    )


@pytest.mark.parametrize(
    "text", ["Team Web", "..", "x') or true", "/users", "'", "nobody@contoso.example", "@", " , ;"]
)
async def test_a_tag_that_names_no_person_is_passed_over(world: World, text: str) -> None:
    world.tag(WEB, owner=text)
    world.about(WEB)
    found = await world.found()
    assert found.owners[0].why.startswith("named by the tag owner of subscription")
    assert found.notes == ()


# Who may not be asked


@pytest.mark.parametrize(
    ("who", "note"),
    [("eve", "is a suspect and was not asked"), ("nora", "has rights from a suspect and was not asked")],
)
async def test_no_suspect_is_asked_nor_whom_one_gave_rights(world: World, who: str, note: str) -> None:
    world.tag(PROD, owner=f"{who}@contoso.example")
    found = await world.found()
    assert {o.person.name: o.why for o in found.owners} == {
        "owner@contoso.example": "has the role Owner on the subscription"
    }
    assert len(found.notes) == 1
    assert note in found.notes[0]


async def test_a_disabled_account_is_not_asked(world: World) -> None:
    world.account("ops", accountEnabled=False)
    world.tag(PROD, owner="ops@contoso.example")
    assert set(await world.asked()) == {"owner"}


async def test_whom_a_suspect_gave_rights_long_ago_may_be_asked(world: World) -> None:
    eve, before = world.there.scene.who("eve@contoso.example"), stamp(world.case.since - timedelta(days=1))
    world.give("Contributor", "ops@contoso.example", createdBy=eve, createdOn=before)
    world.tag(PROD, owner="ops@contoso.example")
    assert set(await world.asked()) == {"ops"}


# Who deploys


async def test_who_usually_deploys_a_resource_is_asked_when_no_tag_says(world: World) -> None:
    world.untag()
    world.about(NSG)
    for by, times in (("ops", 3), ("owner", 2), ("ci-deploy", 0)):
        for n in range(times):
            body = {"location": "westeurope", "tags": {"n": str(n)}, "properties": {"securityRules": []}}
            await world.does(by, "put", f"{NSG}?api-version=2024-05-01", body)
    since = world.there.sandbox.clock.now() + timedelta(seconds=1)
    world.case = world.case.having(since=since, until=since + timedelta(minutes=5))
    world.there.sandbox.clock.advance(timedelta(hours=2))
    world.untag()
    assert await world.asked() == {"ops": "wrote to resource nsg-web 3 times in the month before"}


# Roles


async def test_owners_by_role_are_asked_through_their_groups_but_no_applications(world: World) -> None:
    world.untag()
    world.give("Owner", "Web Team")
    world.give("Owner", "ci-deploy")
    assert await world.asked() == dict.fromkeys(("owner", "dev"), "has the role Owner on the subscription")


async def test_an_owner_whom_a_suspect_made_is_not_asked(world: World) -> None:
    world.untag()
    eve, now = world.there.scene.who("eve@contoso.example"), stamp(world.there.sandbox.clock.now())
    for who in ("soc@contoso.example", "Web Team"):
        world.give("Owner", who, createdBy=eve, createdOn=now)
    assert set(await world.asked()) == {"owner"}


async def test_of_many_owners_ten_are_asked(world: World) -> None:
    world.untag()
    world.take("Owner")
    members = [one["id"] for one in world.world.directory.of_type("#microsoft.graph.user")]
    world.world.directory.set_members(world.there.scene.who("Web Team"), members)
    world.give("Owner", "Web Team")
    asked = await world.asked()
    assert len(asked) == min(owners.MOST, len(members) - 4)
    assert not {"eve", "nora", "nils", "nell"} & set(asked)


# Security contacts, and the last resort


async def test_security_contacts_are_asked_when_nobody_is_owner(world: World) -> None:
    await world.contact(emails="team@mail.example; SOC@contoso.example", isEnabled=True, notificationsSources=[])
    world.untag()
    world.take("Owner")
    assert await world.asked() == {"soc": "is a security contact of Defender for Cloud"}


async def test_roles_that_defender_notifies_are_asked_too(world: World) -> None:
    await world.contact(emails="", notificationsByRole={"state": "On", "roles": ["ServiceAdmin", "Contributor"]})
    world.untag()
    world.take("Owner")
    assert await world.asked() == {
        "ops": "has the role Contributor, which Defender for Cloud notifies on the subscription"
    }


async def test_a_contact_that_is_switched_off_is_not_asked_but_whom_the_settings_name(world: World) -> None:
    await world.contact(emails="soc@contoso.example", isEnabled=False)
    world.untag()
    world.take("Owner")
    assert await world.asked() == {}
    found = await owners.find(
        world.there.azure,
        world.case,
        msgspec.structs.replace(world.there.azure.settings, owners=("ops@contoso.example",)),
    )
    assert [(o.person.name, o.why) for o in found.owners] == [("ops@contoso.example", "named by COUNTERSIGN_OWNERS")]


# Cost and refusals


async def test_where_a_tag_says_it_five_calls_are_made(world: World) -> None:
    first = len(world.there.sandbox.requests)
    await world.asked()
    calls = [r.path.rpartition("/providers/")[2] for r in world.there.sandbox.requests[first:] if r.service != "login"]
    assert calls == [
        "Microsoft.Authorization/roleAssignments",
        "/v1.0/auditLogs/directoryAudits",
        "Microsoft.Resources/tags/default",
        "/v1.0/users/owner@contoso.example",
        "Microsoft.Insights/eventtypes/management/values",
    ]


@pytest.mark.parametrize("right", [right for right in owners.PERMISSIONS if "/" in right])
async def test_a_source_that_may_not_be_read_is_noted_and_the_next_one_is_asked(right: str) -> None:
    async with takeover([other for other in owners.PERMISSIONS if other != right]) as world:
        world.about(WEB)
        if not right.startswith("Microsoft.Insights"):
            world.untag()
        if not right.startswith("Microsoft.Authorization"):
            world.take("Owner")
        settings = msgspec.structs.replace(world.there.azure.settings, owners=("ops@contoso.example",))
        found = await owners.find(world.there.azure, world.case, settings)
        assert [o.person.name for o in found.owners] == ["ops@contoso.example"]
        assert any(
            "Azure answered 403" in note and right.rsplit("/", 1)[0].lower() in note.lower() for note in found.notes
        )
