"""The doctor on a sandbox deployment: what it says of one that is whole, and of what it may not see."""

import json

import pytest

from playbooks import doctor
from playbooks.doctor.check import Result
from playbooks.doctor.told import text
from sandbox import deployed
from sandbox.stage import GROUP, VAULT, identity
from tests.playbooks.doctor.patient import Patient, disabled, states, unassigned


@pytest.mark.asyncio(loop_scope="module")
async def test_of_a_whole_deployment_all_is_well(patient: Patient) -> None:
    found = await patient.examined()

    assert [one for one in found if one.state != "ok"] == []
    assert {one.check for one in found} == {f"{c.__module__.rpartition('.')[2]}.{c.__name__}" for c in doctor.CHECKS}


@pytest.mark.asyncio(loop_scope="module")
async def test_an_evidence_store_that_is_gone_is_found(patient: Patient) -> None:
    patient.delete(deployed.EVIDENCE)

    found = states(await patient.examined())

    assert found == {"broken": {"keeping.evidence", "keeping.immutability"}, "can't tell": set()}


@pytest.mark.asyncio(loop_scope="module")
async def test_members_of_a_group_may_countersign_and_those_of_groups_in_it_may_not(patient: Patient) -> None:
    """As in Entra ID: an app role given to a group is for its own members."""
    world = patient.sandbox.world
    unassigned("Approver")(patient)
    patient.settings["COUNTERSIGN_APPROVERS"] = "alice@contoso.example,bob@contoso.example,carol@contoso.example"
    world.load({"groups": [{"name": "within", "members": ["carol@contoso.example"]}]}, patient.scene.now)
    people = ["alice@contoso.example", "bob@contoso.example", "within"]
    world.load({"groups": [{"name": "approvers", "members": people, "app_roles": ["Approver"]}]}, patient.scene.now)

    [found] = [one for one in await patient.examined() if one.check == "signing_in.approvers"]

    assert found.state == "broken", found.why
    assert found.why.startswith("carol@contoso.example of COUNTERSIGN_APPROVERS may not")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_shared_mailbox_sends_though_its_account_is_disabled(patient: Patient) -> None:
    disabled("soc@contoso.example")(patient)

    assert states(await patient.examined())["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_channels_that_are_kept_in_the_vault_are_seen_by_those_who_may_not_read_them(patient: Patient) -> None:
    patient.settings["COUNTERSIGN_MAIL_FROM"] = ""
    settings = patient.sandbox.world.get(f"{deployed.SITE}/config/appsettings")
    assert settings
    link = str(settings.properties["COUNTERSIGN_LINK_KEY"])
    patient.change(settings.id, COUNTERSIGN_CHANNELS=link)

    assert states(await patient.examined())["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_closed_is_reached_by_an_app_in_a_network(patient: Patient) -> None:
    patient.change(VAULT, publicNetworkAccess="Disabled")
    patient.change(
        deployed.SITE, virtualNetworkSubnetId=f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/app"
    )

    assert states(await patient.examined())["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_left_out_on_purpose_is_not_missed(patient: Patient) -> None:
    for role in ("Destroyer", "Remover"):
        [held] = [
            r for r in patient.sandbox.world if r.properties.get("roleName") == f"Countersign {role} (id-countersign)"
        ]
        patient.change(held.id, permissions=[{"actions": []}])

    missed = states(await patient.examined())
    meant = states(await patient.examined(left_out=("destroyer", "remover")))

    assert missed["broken"] == {"rights.azure_rights"}
    assert meant["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_responder_can_examine_itself(patient: Patient) -> None:
    me = identity(patient.scene)

    found = await patient.examined(by=me, whose="")

    assert states(found)["broken"] == set()
    assert {"rights.azure_rights", "rights.graph_consents"} & states(found)["can't tell"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_may_not_be_read_can_t_be_told(patient: Patient) -> None:
    found = await patient.examined(by="nora@contoso.example")

    unknown = {one.check: one for one in found if one.state == "can't tell"}
    assert {"defending.plan", "defending.automation", "rights.azure_rights", "keeping.evidence"} <= unknown.keys()
    assert "AuthorizationFailed" in unknown["defending.plan"].why
    assert "defending.plan" not in states(found)["broken"]


@pytest.mark.asyncio(loop_scope="module")
async def test_of_a_person_no_consents_can_be_told(patient: Patient) -> None:
    found = await patient.examined(whose="", group="")

    unknown = {one.check: one for one in found if one.state == "can't tell"}
    assert {"identity.signs_in", "rights.graph_consents", "delivery.event_grid"} <= unknown.keys()
    assert "--identity" in unknown["rights.graph_consents"].fix
    assert "--group" in unknown["delivery.event_grid"].fix


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_written(patient: Patient) -> None:
    before = patient.sandbox.world.snapshot()

    await patient.examined()

    assert patient.sandbox.world.snapshot() == before
    assert {r.method for r in patient.sandbox.requests if not r.path.endswith("/query")} <= {"GET", "POST"}


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_said_is_not_said_again() -> None:
    why, fix = "Azure answered 403.", "Ask as somebody else."
    found = [
        Result(check="hosting.app", looked_at="app", state="can't tell", why=why, fix=fix),
        Result(check="hosting.secrets", looked_at="secrets", state="can't tell", why=why, fix=fix),
        Result(check="identity.clock", looked_at="clock", state="ok", why=why),
    ]

    said = text(found)

    assert (said.count(why), said.count(fix)) == (2, 1)
    assert "hosting.secrets                secrets\n       As hosting.app.\n" in said


async def test_a_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COUNTERSIGN_SUBSCRIPTIONS", raising=False)

    assert await doctor.main("", "", as_json=True) == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["check"], found["state"]) == ("settings", "broken")
    assert "COUNTERSIGN_SUBSCRIPTIONS" in found["why"]
