"""What is explained of that which was done, and what a person has to sign for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responders import accounting
from responders.accounting import Made
from responders.actions import action
from responders.model import Alert, Case, Change, Familiarity, Finding, Known

NOW, MINUTE = datetime(2026, 1, 5, 3, 0, tzinfo=UTC), timedelta(minutes=1)
AUTOMATION = "Microsoft.Automation/automationAccounts"
PROD = "/subscriptions/11111111-1111-4111-8111-111111111111"
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Automation/automationAccounts/aa"
RUNBOOK, HOOK = f"{ACCOUNT}/runbooks/Sync", f"{ACCOUNT}/webhooks/sync"
DATA = f"{PROD}/resourceGroups/rg-data/providers"
STORAGE, DISK = f"{DATA}/Microsoft.Storage/storageAccounts/st", f"{DATA}/Microsoft.Compute/disks/ledger"
VM = f"{DATA}/Microsoft.Compute/virtualMachines/web"
EXTENSION, RULE = f"{VM}/extensions/run", f"{DATA}/Microsoft.Network/networkSecurityGroups/nsg/securityRules/ssh"
GRANT, LOCK = f"{DATA}/Microsoft.Authorization/roleAssignments/1", f"{DATA}/Microsoft.Authorization/locks/keep"


def did(resource: str, operation: str = "x/write", **fields: Any) -> Finding:
    said: dict[str, Any] = {"rule": "other", "reason": "mallory did it", "at": NOW, "caller": "mallory"}
    return Finding(**{**said, "operation": operation, "resource": resource, "events": ("e",), **fields})


def case(*findings: Finding, **fields: Any) -> Case:
    alert = Alert(name="n", type="t", title="t", severity="High", status="Active", start=NOW, end=NOW)
    said: dict[str, Any] = {"incident": "i", "alert": alert, "subscription": PROD.rsplit("/", 1)[-1], "tenant": "t"}
    return Case(**{**said, "suspects": (), "since": NOW, "until": NOW + 5 * MINUTE, "findings": findings, **fields})


def made(id_: str, resource: str, on: Case, *, familiarity: Familiarity = "unfamiliar", **before: Any) -> Made:
    """A change of an action, planned when a case was as it was then."""
    undoes = action(id_).undoes
    before = {part: [] for part in (*undoes.along, undoes.events) if part} | before
    change = Change(action=id_, resource=resource, summary="put it right", before=before, familiarity=familiarity)
    seen = frozenset(event for finding in on.findings for event in finding.events)
    return Made(change=change, undoes=undoes, seen=seen, until=on.until)


def left(what: Case, *changes: Made) -> list[str]:
    return [f"{f.resource.rpartition('/')[2]}: {f.operation}" for f in accounting.account(what, changes)]


def listed(*findings: Finding) -> list[str]:
    return [f"{f.resource.rpartition('/')[2]}: {f.operation}" for f in findings]


@pytest.mark.parametrize(
    ("id_", "resource", "operation", "of"),
    [
        ("subscriptions.rotate_keys", STORAGE, "Microsoft.Storage/storageAccounts/listKeys/action", STORAGE),
        ("subscriptions.strip_role_assignments", GRANT, "Microsoft.Authorization/roleAssignments/write", GRANT),
        ("subscriptions.restore_guards", LOCK, "Microsoft.Authorization/locks/delete", LOCK),
        ("subscriptions.revoke_disk_access", DISK, "Microsoft.Compute/disks/beginGetAccess/action", DISK),
        ("subscriptions.restore_runbooks", RUNBOOK, f"{AUTOMATION}/runbooks/publish/action", RUNBOOK),
        ("subscriptions.restore_runbooks", RUNBOOK, f"{AUTOMATION}/runbooks/draft/content/write", f"{RUNBOOK}/draft/x"),
        ("vms.reimage", VM, "Microsoft.Compute/virtualMachines/runCommand/action", VM),
        ("vms.reimage_in_place", VM, "Microsoft.Compute/virtualMachines/runCommand/action", VM),
        ("vms.remove_extensions", EXTENSION, "Microsoft.Compute/virtualMachines/extensions/write", EXTENSION),
    ],
)
def test_an_action_explains_what_it_undoes(id_: str, resource: str, operation: str, of: str) -> None:
    its = case(did(of.upper(), operation.lower()))

    assert left(its, made(id_, resource, its)) == []
    assert left(its, made(id_, f"{resource}-2", its)) != []


@pytest.mark.parametrize(
    ("id_", "resource", "operation", "of"),
    [
        ("subscriptions.restore_settings", STORAGE, "microsoft.storage/storageaccounts/listkeys/action", STORAGE),
        ("subscriptions.rotate_keys", STORAGE, "microsoft.storage/storageaccounts/write", STORAGE),
        ("vms.isolate", VM, "microsoft.compute/virtualmachines/runcommand/action", VM),
        ("vms.deallocate", VM, "microsoft.compute/virtualmachines/runcommand/action", VM),
        ("vms.reset_passwords", VM, "microsoft.compute/virtualmachines/runcommand/action", VM),
        ("vms.remove_extensions", EXTENSION, "microsoft.compute/virtualmachines/runcommand/action", VM),
        ("vms.reimage", VM, "microsoft.compute/virtualmachines/extensions/write", EXTENSION),
        ("vms.reimage", VM, "microsoft.compute/virtualmachines/write", VM),
        ("subscriptions.revoke_disk_access", DISK, "microsoft.compute/disks/write", DISK),
        ("subscriptions.restore_guards", RULE, "microsoft.network/networksecuritygroups/write", RULE.rsplit("/", 2)[0]),
        ("subscriptions.strip_role_assignments", GRANT, "microsoft.authorization/roleassignments/delete", GRANT),
        ("subscriptions.restore_runbooks", RUNBOOK, f"{AUTOMATION}/runbooks/delete".lower(), RUNBOOK),
    ],
)
def test_an_action_explains_nothing_else_on_its_resource(id_: str, resource: str, operation: str, of: str) -> None:
    other = did(of, operation)
    its = case(other)

    assert left(its, made(id_, resource, its)) == listed(other)


def test_what_was_planted_and_is_gone_explains_all_that_was_done_to_it() -> None:
    its = case(
        did(STORAGE, "microsoft.storage/storageaccounts/write"),
        did(STORAGE, "microsoft.storage/storageaccounts/listkeys/action", at=NOW + MINUTE),
        did(f"{STORAGE}/providers/Microsoft.Authorization/locks/no", "microsoft.authorization/locks/write"),
        did(f"{STORAGE}2", "microsoft.storage/storageaccounts/write"),
    )

    assert left(its, made("subscriptions.delete_resources", STORAGE, its)) == listed(its.findings[3])


def test_what_was_read_out_of_a_thing_that_nobody_knows_to_be_planted_stays_known() -> None:
    wrote, read = did(STORAGE, "x/write"), did(STORAGE, "microsoft.storage/storageaccounts/listkeys/action")
    its = case(wrote, read)

    assert left(its, made("subscriptions.delete_resources", STORAGE, its, familiarity="unknown")) == listed(read)


def test_what_an_intruder_deleted_and_put_his_own_in_place_of_is_not_explained_by_the_delete_of_that() -> None:
    read, gone, own = did(VM, "x/read/action"), did(VM, "x/delete", at=NOW + MINUTE), did(VM, at=NOW + 2 * MINUTE)
    its = case(read, gone, own)

    assert left(its, made("subscriptions.delete_resources", VM, its)) == listed(read, gone)


def test_what_goes_with_a_group_that_was_deleted_before_is_lost() -> None:
    gone = did(VM.partition("/providers/")[0], "x/delete", at=NOW + MINUTE)
    its = case(did(VM), gone)

    assert left(its, made("subscriptions.delete_resources", VM, its)) == listed(*its.findings)


def test_what_a_change_treated_together_with_its_resource_is_explained() -> None:
    its = case(did(RUNBOOK), did(HOOK), did(f"{HOOK}-2"), did(ACCOUNT))

    assert left(its, made("subscriptions.remove_runbooks", RUNBOOK, its, webhooks=[{"id": HOOK}])) == listed(
        *its.findings[2:]
    )


def test_a_body_that_an_intruder_wrote_explains_nothing_elsewhere() -> None:
    its = case(did(STORAGE), did(ACCOUNT))
    runbook = {"id": RUNBOOK, "tags": {"id": STORAGE}, "webhooks": [{"id": ACCOUNT}]}

    assert left(its, made("subscriptions.remove_runbooks", RUNBOOK, its, runbook=runbook)) == listed(*its.findings)


@pytest.mark.parametrize("id_", ["subscriptions.rotate_keys", "subscriptions.delete_resources"])
def test_what_was_done_after_the_plan_was_made_is_not_explained(id_: str) -> None:
    read = did(STORAGE, "microsoft.storage/storageaccounts/listkeys/action")
    again = did(STORAGE, read.operation, at=NOW + 10 * MINUTE, events=("later",))

    its = case(read)
    assert left(case(read, again), made(id_, STORAGE, its)) == listed(again)


def test_what_the_log_did_not_have_yet_was_not_looked_at() -> None:
    wrote = did(LOCK, "microsoft.authorization/locks/write")
    late = did(LOCK, wrote.operation, events=("late",))

    assert left(case(wrote, late), made("subscriptions.restore_guards", LOCK, case(wrote))) == listed(late)


def test_events_without_ids_are_no_match() -> None:
    nameless = did(LOCK, "microsoft.authorization/locks/write", events=("",))
    its = case(nameless)

    assert left(its, made("subscriptions.restore_guards", LOCK, its)) == listed(nameless)


def test_deeds_elsewhere_are_explained_one_by_one() -> None:
    elevated = did("", "microsoft.authorization/elevateaccess/action", events=("hers",))
    another = did("", elevated.operation, caller="trent", events=("his",))
    its = case(elevated, another)
    root = "/providers/Microsoft.Authorization/roleAssignments/1"

    assert left(its, made("subscriptions.strip_inherited_assignments", root, its, elevations=["hers"])) == listed(
        another
    )


def test_a_setting_explains_only_the_writes_that_changed_nothing_else() -> None:
    wrote = did(STORAGE, "microsoft.storage/storageaccounts/write", events=("1",))
    more = did(STORAGE, wrote.operation, events=("2",))
    its = case(wrote, more)

    assert left(its, made("subscriptions.restore_settings", STORAGE, its, events=["1"])) == listed(more)


def test_without_a_change_it_is_unexplained() -> None:
    read = did(STORAGE, "listkeys/action")
    assert left(case(read)) == listed(read)


def test_what_failed_is_explained() -> None:
    assert left(case(did(STORAGE, outcome="failed"))) == []


def test_an_owner_s_word_explains_that_very_thing() -> None:
    said = Known(id=STORAGE.upper(), because="said so by olga", by="olga")
    declared = Known(id=RUNBOOK, because="COUNTERSIGN_FAMILIAR")

    assert left(case(did(STORAGE), did(RUNBOOK), known=(said, declared))) == listed(did(RUNBOOK))


def test_the_same_thing_done_often_is_one_line_and_the_gravest_comes_first() -> None:
    often = [did(STORAGE, at=NOW + timedelta(minutes=n), events=(str(n),)) for n in range(3)]
    plan = accounting.to_sign(case(), [*often, did(RUNBOOK, score=9)])

    assert [c.resource for c in plan.changes] == [RUNBOOK, STORAGE]
    assert "3 times" in plan.changes[1].summary
    assert plan.changes[1].before["events"] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("Microsoft.KeyVault/vaults/secrets/write", "disables the version that was made then"),
        ("Microsoft.KeyVault/vaults/keys/write", "what is encrypted or signed with it"),
        ("Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action", "az aks rotate-certs"),
        ("Microsoft.Resources/subscriptions/resourceGroups/moveResources/action", "az resource move"),
        ("Microsoft.Example/things/write", "looks whether it is as it should be"),
        ("Microsoft.Example/things/delete", "makes it anew"),
        ("Microsoft.Example/things/share/action", "started, changed or handed out"),
    ],
)
def test_each_line_says_what_whoever_signs_it_has_to_do(operation: str, said: str) -> None:
    [line] = accounting.to_sign(case(), [did(STORAGE, operation=operation)]).changes

    assert line.reasons[0].startswith("to do: ")
    assert said in line.reasons[0]


def test_what_does_not_fit_is_counted() -> None:
    plan = accounting.to_sign(case(), [did(f"{STORAGE}{n}") for n in range(accounting.MOST + 2)])

    assert len(plan.changes) == accounting.MOST
    assert plan.kept[0].startswith("2 more")


def test_nothing_unexplained_needs_nobody() -> None:
    assert accounting.to_sign(case(), []).changes == ()


def test_an_address_for_a_webhook_leads_nowhere_by_itself() -> None:
    asked = did(f"{ACCOUNT}/webhooks", "Microsoft.Automation/automationAccounts/webhooks/action")
    assert left(case(asked, did(HOOK, "Microsoft.Automation/automationAccounts/webhooks/write"))) == [
        "sync: Microsoft.Automation/automationAccounts/webhooks/write"
    ]
