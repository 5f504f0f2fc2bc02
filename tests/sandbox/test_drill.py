"""What a performance does with exercises that don't come out as they say, and with people who don't answer."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.azure import Clock, Sandbox
from sandbox.drill import perform
from sandbox.people import People
from sandbox.scene import EXERCISES, load
from sandbox.score import Score
from sandbox.stage import VAULT, build
from sandbox.thief import Thief
from tests.sandbox.estate import Rest, browser

PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
GRANT = f"{PROD}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555"
CONTRIBUTOR = f"{PROD}/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
NEW = f"{PROD}/resourceGroups/rg-new?api-version=2021-04-01"
MALLORY = "0b5d8a51-6c1e-4f0a-8d5e-aaaaaaaaaaaa"
# As somebody writes it who has read the design and nothing else: flow style, literal ids.
FOREIGN = f"""\
id: foreign
title: An access administrator of another team gives himself more
techniques: [T1098.003]
world: contoso
extend:
  users: [{{upn: mallory@contoso.example, id: {MALLORY}}}]
  role_assignments: [{{scope: {PROD}, role: User Access Administrator, principal: mallory@contoso.example}}]
history:
  - {{at: -P20D, as: ops@contoso.example, ip: 203.0.113.10, put: "{NEW}",
     body: {{location: westeurope}}}}
attack:
  - {{at: -PT41M, as: mallory@contoso.example, ip: 198.51.100.7, delete: "{NEW}", status: 403}}
  - {{at: -PT40M, as: mallory@contoso.example, ip: 198.51.100.7, agent: curl/8,
     put: "https://management.azure.com{GRANT}?api-version=2022-04-01",
     body: {{properties: {{roleDefinitionId: {CONTRIBUTOR}, principalId: {MALLORY}, principalType: User}}}}}}
alert: {{type: ARM_AnomalousRBACRoleAssignment, at: -PT35M, via: eventgrid,
        entities: [{{type: account, name: mallory, upnSuffix: contoso.example, aadUserId: {MALLORY}}}]}}
answers: {{owner: unexpected, approvals: all}}
expect:
  evicted: [{GRANT}, /users/{MALLORY}]
  kept: [{PROD}/resourceGroups/rg-new, /users/ops@contoso.example]
  alert: resolved
"""


Perform = Callable[..., Awaitable[Score]]


@pytest.fixture
def path(tmp_path: Path) -> Callable[..., Path]:
    def written(*changes: tuple[str, str]) -> Path:
        text = FOREIGN
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "foreign.yaml"
        file.write_text(text)
        return file

    return written


@pytest.fixture
def performed(path: Callable[..., Path]) -> Perform:
    async def run(*changes: tuple[str, str]) -> Score:
        return await perform(load(path(*changes)))

    return run


async def test_a_file_with_literal_ids_in_flow_style_is_performed(performed: Perform) -> None:
    score = await performed()
    assert score.failures == ()
    assert (score.evicted, score.undone) == ("2/2", True)


async def test_a_call_that_is_answered_otherwise_fails_the_exercise_and_is_named(performed: Perform) -> None:
    score = await performed(("status: 403", "status: 200"))
    assert not score.passed
    assert "foreign.yaml:12: attack[0]: DELETE" in score.failures[0]
    assert "was answered 403, not 200" in score.failures[0]


async def test_what_is_left_and_what_is_touched_is_said(performed: Perform) -> None:
    score = await performed(
        (f"[{GRANT}, /users/{MALLORY}]", f"[{PROD}/resourceGroups/rg-new]"),
        (f"[{PROD}/resourceGroups/rg-new, /users", f"[/users/{MALLORY}, /users"),
    )
    assert score.evicted == "0/1"
    assert f"Left: {PROD}/resourceGroups/rg-new is still there and works." in score.failures
    assert f"Touched: {GRANT.lower()}: is gone." in score.failures
    assert any(f.startswith(f"Touched: /users/{MALLORY}") for f in score.failures)
    assert score.undone is True


async def test_approvals_that_nobody_gives_change_nothing(performed: Perform) -> None:
    score = await performed(
        ("approvals: all", "approvals: none"),
        (f"[{GRANT}, /users/{MALLORY}]", "[]"),
        ("alert: resolved", "alert: open"),
    )
    assert score.failures == ()
    assert score.approvals > 0
    assert score.undone is None


async def test_a_wrong_expectation_of_the_alert_is_said(performed: Perform) -> None:
    score = await performed(("alert: resolved", "alert: dismissed"))
    assert score.failures == ("The alert is Resolved, not dismissed; the incident came to: resolved.",)


async def test_people_whom_the_exercise_makes_are_found_by_name(performed: Perform) -> None:
    eve = "eve@contoso.example"
    body = (
        f"{{userPrincipalName: {eve}, displayName: Eve, mailNickname: eve, accountEnabled: true, "
        "passwordProfile: {password: made-up-Passw0rd}}"
    )
    call = f'- {{at: -P1D, as: hr, post: "graph:/users",\n     body: {body}}}'
    score = await performed(
        ("attack:\n", f"attack:\n  {call}\n"),
        ("extend:\n", "extend:\n  service_principals: [{name: hr, graph_permissions: [User.ReadWrite.All]}]\n"),
        ("/users/ops@contoso.example", f"/users/{eve}"),
    )
    assert score.failures == ()


async def test_the_folder_that_is_kept_holds_the_incident_the_evidence_and_the_logs(
    path: Callable[..., Path], tmp_path: Path
) -> None:
    await perform(load(path()), keep=tmp_path / "kept")
    folder = tmp_path / "kept" / "foreign"
    incident = json.loads((folder / "incident.json").read_text())
    assert incident["result"] == "resolved"
    assert {p.name for p in folder.iterdir()} >= {
        "activity-log.json",
        "alert.json",
        "evidence",
        "host.log",
        "requests.json",
    }
    assert list((folder / "evidence").rglob("*.html"))


async def test_what_a_former_performance_left_in_that_folder_has_no_part_in_the_next_one(
    path: Callable[..., Path], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    await perform(load(path()), keep=kept)
    score = await perform(load(path()), keep=kept)
    assert score.failures == ()
    assert len(list((kept / "foreign" / "evidence" / "incidents").iterdir())) == 1

    (tmp_path / "mine" / "foreign").mkdir(parents=True)
    (tmp_path / "mine" / "foreign" / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match="no exercise's"):
        await perform(load(path()), keep=tmp_path / "mine")


def test_the_command_tells_all_scores_and_fails_when_one_fails(
    path: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = path(("alert: resolved", "alert: dismissed"))
    good = EXERCISES / "planned-access-grant.yaml"
    assert main(["exercise", str(bad), str(good), "--json", "--jobs", "2"]) == 1
    scores = json.loads(capsys.readouterr().out)
    assert [(s["id"], s["passed"]) for s in scores] == [("foreign", False), ("planned-access-grant", True)]


def test_the_table_names_every_failure(path: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercise", str(path(("alert: resolved", "alert: dismissed")))]) == 1
    shown = capsys.readouterr().out
    assert "✗" in shown
    assert "foreign: The alert is Resolved, not dismissed" in shown


async def test_an_account_that_nobody_gave_back_is_said_and_so_is_what_still_leads_into_it(performed: Perform) -> None:
    kept = f"kept: [{PROD}/resourceGroups/rg-new, /users/ops@contoso.example]"
    score = await performed((kept, "returned: [/users/ops@contoso.example]"))
    assert "Open: /users/ops@contoso.example can still be signed in to with the password." in score.failures
    assert "Open: /users/ops@contoso.example can still be signed in to with a session." in score.failures
    assert any(why.startswith("Not given back: no secret of ") for why in score.failures)


async def test_a_secret_that_still_works_is_said(performed: Perform) -> None:
    steal = """
  - {at: -PT42M, as: mallory@contoso.example, ip: 198.51.100.7, post: "graph:/servicePrincipals/${mine}/addPassword",
     body: {passwordCredential: {displayName: spare}}}
  - {at: -PT41M,"""
    score = await performed(
        ("extend:\n", "extend:\n  service_principals: [{name: mine, owners: [mallory@contoso.example]}]\n"),
        ("\n  - {at: -PT41M,", steal),
        ("approvals: all", "approvals: none"),
        (f"evicted: [{GRANT},", f"evicted: [{GRANT}, '/servicePrincipals/${{mine}}/passwordCredentials/spare',"),
    )
    assert any("can still be signed in to with the secret spare" in why for why in score.failures)


async def test_a_thief_is_out_and_the_owner_back_in_when_all_was_done() -> None:
    file = EXERCISES / "stolen-operator-runbook.yaml"
    scene = load(file)
    async with Sandbox(build(scene), clock=Clock(scene.now)) as azure, People(azure, scene) as people:
        thief = Thief(scene, azure, people)
        oid = scene.who("ops@contoso.example")
        await thief.take([oid])
        account, vault = {f"/users/{oid}": "ops"}, f"{azure.endpoints.vault}/{VAULT.rpartition('/')[2]}"
        failures, shut = await thief.tries(account)
        assert (len(failures), shut) == (2, set())
        entry = azure.world.directory.objects[oid]
        azure.world.directory.private[oid] |= {"password": "New-one-2-start", "must_change": True}
        azure.world.directory.revoke_sessions(oid, scene.now)
        stored = {"value": "New-one-2-start", "tags": {"user": entry["id"]}}
        token = azure.token(scene.who("alice@contoso.example"), "vault")
        azure.world.load(
            {
                "role_assignments": [
                    {
                        "scope": VAULT,
                        "role": "Key Vault Secrets Officer",
                        "principal": scene.who("alice@contoso.example"),
                    }
                ]
            },
            scene.now,
        )
        async with browser(azure) as session:
            rest = Rest(session, vault, token)
            assert (await rest("PUT", f"/secrets/ir-{oid}-1?api-version=7.5", stored))[0] == 200
        assert await thief.tries(account) == ([], set(account))
        assert await thief.returned(account, vault) == []
        assert await thief.tries(account) == ([], set(account))
        again = await thief.returned(account, vault)
        assert "with the new password: AADSTS50126" in again[0]
