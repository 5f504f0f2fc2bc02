"""What activities mean together."""

from datetime import timedelta
from typing import Any

import pytest

from responders.investigation.activity import Activity
from tests.responders.investigation.activities import GROUP, SUBSCRIPTION
from tests.responders.investigation.weeks import AWAY, HOUR, OMAR, did, resource, scored, seen, weeks

Json = dict[str, Any]
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
ACCOUNT = resource("Microsoft.Automation/automationAccounts", "aa")
STORAGE = resource("Microsoft.Storage/storageAccounts", "st1")
VM_WRITE, DISK, SNAPSHOT = (f"microsoft.compute/{kind}/write" for kind in ("virtualmachines", "disks", "snapshots"))
LOCK = "microsoft.authorization/locks/delete"
GRANT = "microsoft.authorization/roleassignments/write"


def chained(*activities: Activity) -> list[bool]:
    """Which of these, in order of time, are of a chain."""
    return ["chain" in one.signals for one, _ in scored(*activities)]


def copying(**whose_disk: str) -> list[Activity]:
    snapshot, disk = resource("Microsoft.Compute/snapshots", "S"), resource("Microsoft.Compute/disks", "D")
    copy: Json = {"properties": {"creationData": {"createOption": "Copy", "sourceResourceId": snapshot.lower()}}}
    machine: Json = {"properties": {"storageProfile": {"osDisk": {"managedDisk": {"id": disk.upper()}}}}}
    return [
        did(SNAPSHOT, resource=snapshot, after=1),
        did(DISK, resource=disk, after=2, request=copy, **whose_disk),
        did(VM_WRITE, resource=resource("Microsoft.Compute/virtualMachines", "V"), after=3, request=machine),
    ]


def test_a_snapshot_a_disk_from_it_and_a_machine_with_the_disk() -> None:
    steps = copying()
    assert chained(*steps) == [True, True, True]
    _, _, (last, _) = scored(*steps)
    assert set(last.signals["chain"].events) == {event for step in steps for event in step.events}


def test_a_disk_of_something_else_or_of_somebody_else_is_no_part_of_it() -> None:
    snapshot = did(SNAPSHOT, resource=resource("Microsoft.Compute/snapshots", "S"), after=1)
    other: Json = {"properties": {"creationData": {"sourceResourceId": resource("Microsoft.Compute/snapshots", "T")}}}
    assert chained(snapshot, did(DISK, after=2, request=other)) == [False, False]
    assert not any(chained(*copying(oid=OMAR, caller="omar@contoso.example")))


def test_a_lock_removed_and_then_what_it_protected_deleted() -> None:
    lock = did(LOCK, resource=f"{GROUP}/providers/Microsoft.Authorization/locks/keep", after=1)
    gone = did("microsoft.compute/disks/delete", resource=resource("Microsoft.Compute/disks", "d"), after=2)
    elsewhere = f"{SCOPE}/resourceGroups/other/providers/Microsoft.Compute/disks/d"
    other = did("microsoft.compute/disks/delete", resource=elsewhere, after=3)
    assert chained(lock, gone, other) == [True, True, False]
    assert chained(did(LOCK, resource=lock.resource, after=4), gone) == [False, False]


def test_all_taken_and_then_a_role_given() -> None:
    elevated = did(
        "microsoft.authorization/elevateaccess/action", resource="/providers/Microsoft.Authorization", after=1
    )
    assert chained(elevated, did(GRANT, after=2)) == [True, True]
    assert chained(elevated, did(GRANT, after=2, oid=OMAR, caller="omar@contoso.example")) == [False, False]


def runbook(name: str, *, delete: bool) -> list[Activity]:
    kind, path = "microsoft.automation/automationaccounts", f"{ACCOUNT}/runbooks/{name}"
    steps = [
        did(f"{kind}/runbooks/write", resource=path, after=1),
        did(f"{kind}/runbooks/publish/action", resource=path, after=1.1),
        did(
            f"{kind}/jobs/write",
            resource=f"{ACCOUNT}/jobs/1",
            after=1.2,
            request={"properties": {"runbook": {"name": name}}},
        ),
        did(f"{kind}/runbooks/delete", resource=path.upper(), after=1.3),
    ]
    return steps if delete else steps[:3]


def test_a_runbook_that_is_run_and_deleted_again() -> None:
    assert chained(*runbook("Fix", delete=True)) == [False, True, True, True]
    assert chained(*runbook("Fix", delete=False)) == [False, False, False]


def test_a_webhook_for_a_runbook_just_written() -> None:
    asked = {"properties": {"runbook": {"name": "Fix"}}}
    hook = did(
        "microsoft.automation/automationaccounts/webhooks/write",
        resource=f"{ACCOUNT}/webhooks/h",
        after=1.5,
        request=asked,
    )
    assert chained(*runbook("Fix", delete=False)[:1], hook) == [True, True]
    assert chained(*runbook("Other", delete=False)[:1], hook) == [False, False]


def test_storage_opened_and_then_its_keys_read() -> None:
    opened: Json = {"properties": {"networkAcls": {"defaultAction": "Allow"}}}
    write = did("microsoft.storage/storageaccounts/write", resource=STORAGE, request=opened, after=1)
    keys = did("microsoft.storage/storageaccounts/listkeys/action", resource=STORAGE, after=2)
    assert chained(write, keys) == [True, True]
    plain = did("microsoft.storage/storageaccounts/write", resource=STORAGE, request={"tags": {}}, after=1)
    assert chained(plain, keys) == [False, False]


def grant(principal: str, role: str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635") -> Activity:
    asked = {"Properties": {"PrincipalId": principal.upper(), "RoleDefinitionId": f"{SCOPE}/x/{role}"}}
    return did(GRANT, resource=f"{SCOPE}/providers/Microsoft.Authorization/roleAssignments/r", request=asked, after=1)


def test_an_identity_that_is_given_a_powerful_role_and_acts() -> None:
    acts = did("microsoft.compute/virtualmachines/runcommand/action", oid=OMAR, caller=OMAR, idtyp="app", after=2)
    assert chained(grant(OMAR), acts) == [True, True]
    reader = grant(OMAR, "acdd72a7-3385-48ef-bd42-f606fba81ae7")
    assert chained(reader, acts) == [False, False]
    assert chained(grant("cccccccc-1111-4222-8333-444444444444"), acts) == [False, False]


def test_what_failed_is_of_no_chain() -> None:
    lock = did(LOCK, resource=f"{GROUP}/providers/Microsoft.Authorization/locks/keep", after=1, outcome="failed")
    assert chained(lock, did("microsoft.compute/disks/delete", after=2)) == [False, False]


@pytest.mark.parametrize(
    ("status", "minutes", "told"),
    [("Forbidden", 30, True), ("Conflict", 59, True), ("Forbidden", 61, False), ("NotFound", 5, False)],
)
def test_a_success_after_a_refusal(status: str, minutes: int, told: bool) -> None:  # noqa: FBT001
    keys = "microsoft.storage/storageaccounts/listkeys/action"
    refused = did(keys, resource=STORAGE, after=1, outcome="failed", status=status)
    at = refused.at + timedelta(minutes=minutes)
    (_, _), (then, _) = scored(refused, did(keys, resource=STORAGE, at=at))
    assert ("failed_before" in then.signals) is told
    if told:
        assert then.signals["failed_before"].events == refused.events


def test_the_same_resource_counts_for_a_retry_and_another_caller_does_not() -> None:
    keys, write = "microsoft.storage/storageaccounts/listkeys/action", "microsoft.storage/storageaccounts/write"
    refused = did(keys, resource=STORAGE, after=1, outcome="failed", status="Forbidden")
    (_, _), (then, _) = scored(refused, did(write, resource=STORAGE.lower(), after=1.5))
    assert "failed_before" in then.signals
    theirs = did(keys, resource=STORAGE, after=1.5, oid=OMAR, caller="omar@contoso.example")
    assert not any("failed_before" in one.signals for one, _ in seen([refused, theirs]).scored())


def deletions(count: int, minutes: float, resources: int = 1000) -> list[Activity]:
    start = did(after=2).at
    return [
        did(
            "microsoft.web/sites/delete",
            at=start + n * timedelta(minutes=minutes),
            resource=f"{GROUP}/s/{n % resources}",
        )
        for n in range(count)
    ]


def burst(activities: list[Activity], history: list[Activity]) -> int:
    return sum("burst" in one.signals for one, _ in scored(*activities, history=history))


def test_many_different_things_deleted_within_an_hour() -> None:
    assert burst(deletions(10, 1), weeks()) == 10
    assert burst(deletions(9, 1), weeks()) == 0
    assert burst(deletions(30, 10), weeks()) == 0  # never more than seven in an hour
    assert burst(deletions(30, 1, resources=5), weeks()) == 0  # the same five again and again


def test_a_burst_marks_all_of_it_and_nothing_else() -> None:
    early, late = deletions(3, 1), deletions(12, 1)
    moved = [did(a.operation, at=a.at + 5 * HOUR, resource=a.resource) for a in late]
    marked = ["burst" in one.signals for one, _ in scored(*early, *moved, history=weeks())]
    assert marked == [False] * 3 + [True] * 12


def test_who_deletes_as_many_every_day_makes_no_burst() -> None:
    daily = weeks(21, 15, operation="microsoft.web/sites/delete")
    assert burst(deletions(15, 1), daily) == 0
    assert burst(deletions(16, 1), daily) == 16


def test_a_suspicious_session_lends_its_color_to_the_rest_of_it() -> None:
    tag = did("microsoft.resources/tags/write", address=AWAY, after=1)
    run = did("microsoft.compute/virtualmachines/runcommand/action", address=AWAY, after=2)
    home = did("microsoft.resources/tags/write", after=3)
    (first, its), _, (last, _) = scored(tag, run, home, history=weeks())
    assert "session" in first.signals
    assert its.level == "notable"
    assert "session" not in last.signals
