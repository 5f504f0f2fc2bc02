from typing import get_args

import pytest

from responders.alerts import concerns
from responders.alerts.concerns import KNOWN, Concern, find, is_ours, titled


def test_there_are_49_types_each_once() -> None:
    assert len({known.id.lower() for known in KNOWN}) == len(KNOWN) == 49
    assert sum(known.id.startswith("ARM.MCAS_") for known in KNOWN) == 3, "the retired ones"


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.id)
def test_a_type_is_found_in_any_case_and_by_title(known: concerns.AlertType) -> None:
    assert find(known.id.upper()) is find(known.id.lower()) is known
    assert is_ours(known.id.upper())
    for title in (
        known.title,
        f"[SAMPLE ALERT] PREVIEW - {known.title} (Preview)",
        f"{known.title} - delegated access",
    ):
        twin = titled(title)
        assert twin is not None
        assert twin.concerns == known.concerns
    assert known.about.endswith(".")
    assert set(known.concerns) <= set(get_args(Concern))
    assert len(set(known.concerns)) == len(known.concerns) > 0


@pytest.mark.parametrize(
    ("type_id", "concerns"),
    [
        ("ARM_OperationFromSuspiciousIP", ("user", "service_principal", "subscription")),
        ("ARM_MicroBurst.AzVMBulkCMD", ("user", "service_principal", "vm")),
        ("RM_MicroBurst.AzureRmVMBulkCMD", ("user", "service_principal", "vm")),
        ("ARM_MicroBurst.AzureRmVMBulkCMD", ("user", "service_principal", "vm")),
        ("ARM_PowerZure.AzureElevatedPrivileges", ("user", "tenant")),
        ("arm_suspicious_vault_recovering", ("user", "key_vault")),
        ("ARM_AnomalousServiceOperation.Execution", ("service_principal", "subscription", "vm")),
        ("ARM_AnomalousOperation.Execution", ("user", "subscription", "vm")),
        ("ARM_AnomalousOperation.Impact", ("user", "subscription")),
        ("ARM.MCAS_ImpossibleTravelActivity", ("user",)),
    ],
)
def test_what_a_type_concerns(type_id: str, concerns: tuple[str, ...]) -> None:
    known = find(type_id)
    assert known is not None
    assert known.concerns == concerns


def test_earlier_names_are_known() -> None:
    known = titled("Permissions granted for an RBAC role in an unusual way for your Azure environment (Preview)")
    assert known is find("ARM_AnomalousRBACRoleAssignment")


@pytest.mark.parametrize("type_id", ["ARM_New.Thing", "RM_New", "ARM.MCAS_New", "arm_x"])
def test_unlisted_types_of_ours_are_ours(type_id: str) -> None:
    assert is_ours(type_id)
    assert find(type_id) is None


@pytest.mark.parametrize(
    "type_id", ["VM_EICAR", "K8S_ARM_x", "Storage.Blob_x", "ARM", "ARM_", "ARM_x' or 1", "ARM_x\n", ""]
)
def test_types_of_others_are_not(type_id: str) -> None:
    assert not is_ours(type_id)


def test_a_title_of_nothing_but_blanks_costs_no_time() -> None:
    assert titled(" " * 1_000_000 + "x") is None
