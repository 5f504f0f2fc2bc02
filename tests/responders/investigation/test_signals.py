"""What is new about an activity for its caller, and what shows in itself."""

from typing import Any

import pytest

from responders.investigation.activity import Activity
from responders.investigation.rules import Rules
from responders.investigation.scoring import relevant
from responders.investigation.signals import Signal, is_drawn, signals
from tests.responders.investigation.weeks import (
    AWAY,
    DAY,
    HOME,
    OMAR,
    POWERSHELL,
    RESTART,
    RUN,
    SINCE,
    baseline,
    did,
    resource,
    weeks,
)

GRANT = "microsoft.authorization/roleassignments/write"
RUNBOOK = "microsoft.automation/automationaccounts/runbooks/write"
RULES = Rules.load()


def found(activity: Activity, *history: Activity) -> dict[str, Signal]:
    matches = relevant(activity, RULES.match(activity))
    return {signal.name: signal for signal in signals(activity, matches, baseline(*history))}


def test_what_is_done_every_day_from_the_same_place_is_routine() -> None:
    assert set(found(did(), *weeks())) == {"routine"}


def test_an_operation_is_new_once() -> None:
    assert set(found(did(RUN), *weeks())) == {"new_operation"}
    assert "new_operation" not in found(did(RUN), *weeks(), did(RUN, at=SINCE - DAY))


def test_a_network_is_new_and_the_reason_names_both() -> None:
    new = found(did(address=AWAY), *weeks())
    assert set(new) == {"new_network"}
    assert new["new_network"].reason == "the caller came never before from 198.51.0.0/16, but from 203.0.0.0/16"


@pytest.mark.parametrize("address", ["203.0.200.1", "", "<Redacted>", "2001:db8::1"])
def test_no_other_network_is_new_that_is_near_unknown_or_of_the_other_family(address: str) -> None:
    assert "new_network" not in found(did(address=address), *weeks())


def test_who_comes_from_everywhere_comes_from_nowhere_new() -> None:
    everywhere = [did(at=SINCE - n * DAY, address=f"20.{n}.1.1") for n in range(1, 21)]
    assert set(found(did(address=AWAY), *everywhere)) == {"routine"}


def test_a_client_is_new_only_when_others_are_known() -> None:
    assert set(found(did(appid=POWERSHELL), *weeks())) == {"new_app"}
    assert "new_app" not in found(did(appid=POWERSHELL), *weeks(appid=""))
    assert "new_app" not in found(did(appid=""), *weeks())


@pytest.mark.parametrize("days", [0, 3, 6])
def test_with_too_little_before_nothing_is_new(days: int) -> None:
    ours = weeks(days, 10)
    assert found(did(RUN, address=AWAY, appid=POWERSHELL), *ours, *weeks(oid=OMAR, caller="omar")) == {}


def test_an_account_without_any_activity_that_gives_rights_was_dormant() -> None:
    others = weeks(oid=OMAR, caller="omar@contoso.example")
    assert set(found(did(GRANT), *others)) == {"dormant"}
    assert "dormant" not in found(did(RESTART), *others)
    assert "dormant" not in found(did(GRANT), *others[:10])  # the log itself is too short to know
    assert "dormant" not in found(did(GRANT))


def test_off_hours_are_those_far_from_all_of_his() -> None:
    assert "off_hours" in found(did(after=22), *weeks())
    assert "off_hours" not in found(did(after=1), *weeks())
    assert "off_hours" not in found(did(after=22, idtyp="app", caller="app"), *weeks(idtyp="app", caller="app"))


def test_a_token_used_elsewhere_than_issued() -> None:
    assert "token_elsewhere" in found(did(address=AWAY, token_address=HOME))
    assert "token_elsewhere" not in found(did(address="203.0.9.9", token_address=HOME))
    assert "token_elsewhere" not in found(did(address=AWAY, token_address=HOME), *weeks(address=AWAY))
    portal = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
    assert "token_elsewhere" not in found(did(address=AWAY, token_address=HOME, appid=portal))


def test_another_tenant_is_marked() -> None:
    assert "other_tenant" in found(did(tid="t1", home="t2"))
    assert "other_tenant" not in found(did(tid="t1", home="t1"))
    assert "other_tenant" not in found(did(tid="t1", home=""))


def test_a_high_operation_without_a_second_factor() -> None:
    assert "no_mfa" in found(did(RUN, amr=("pwd",)))
    assert "no_mfa" in found(did(RUN, amr=("pwd",)), *weeks())
    assert "no_mfa" not in found(did(RUN, amr=("pwd",)), *weeks(amr=("pwd",)))  # he never has one
    assert "no_mfa" not in found(did(RUN, amr=("rsa",)))
    assert "no_mfa" not in found(did(RUN, amr=()))
    assert "no_mfa" not in found(did(RESTART, amr=("pwd",)))


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("wQzXkJvBnMtRgHd", True), ("Synchronization", False), ("wQzXkJvBnMtRgH", False), ("wQzXkJvBnMtRgHd1", False)],
)
def test_fifteen_different_letters(name: str, drawn: bool) -> None:  # noqa: FBT001
    its = resource("Microsoft.Automation/automationAccounts/aa/runbooks", name)
    assert is_drawn(its) is drawn
    activity = did(RUNBOOK, resource=its)
    assert ("tool" in found(activity)) is drawn
    rules = {match.name for match in relevant(activity, RULES.match(activity))}
    assert ("script-with-random-name" in rules) is drawn


def _owner(scope: str, **fields: Any) -> Activity:
    role = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    request = {"properties": {"roleDefinitionId": role, "principalId": OMAR}}
    return did(
        GRANT, resource=f"{scope}/providers/Microsoft.Authorization/roleAssignments/r", request=request, **fields
    )


def test_what_is_asked_for_counts_when_it_is_grave_in_two_ways() -> None:
    assert "content" in found(_owner("/subscriptions/11111111-2222-4333-8444-555555555555"))
    assert "content" not in found(_owner("/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg"))


@pytest.mark.parametrize(("extension", "watches"), [("OMSExtension", True), ("MDE.Linux", True), ("setup", False)])
def test_removing_what_watches_a_machine(extension: str, watches: bool) -> None:  # noqa: FBT001
    its = resource("Microsoft.Compute/virtualMachines/vm/extensions", extension)
    assert ("content" in found(did("microsoft.compute/virtualmachines/extensions/delete", resource=its))) is watches


def test_azures_own_services_are_quiet_and_people_with_their_id_are_not() -> None:
    grid = "4962773b-9cdb-44cf-a8bf-237846a00ab7"
    keys = "microsoft.storage/storageaccounts/listkeys/action"
    assert "quiet" in found(did(keys, appid=grid, idtyp="app", caller=OMAR))
    assert "quiet" not in found(did(keys, appid=grid))
    assert "quiet" not in found(did(keys, appid=POWERSHELL, idtyp="app", caller=OMAR))
