"""A machine is entered without a command that names it: by its scale set's model, or by another OS disk."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from playbooks.dispatch import subjects
from responders.actions import permissions
from responders.investigation import machines
from responders.model import Case
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked

MODEL, DISK = (EXERCISES / f"{n}.yaml" for n in ("scale-set-model", "another-os-disk"))
WEB = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64/resourceGroups/rg-web/providers"
SET = f"{WEB}/Microsoft.Compute/virtualMachineScaleSets/vmss-shop"


def _with(there: Attacked, id_: str, **properties: str) -> dict[str, Any]:
    found = there.sandbox.world.get(id_)
    assert found
    return {**found.body, "properties": {**found.properties, **properties}}


def _vms(case: Case) -> list[str]:
    return [s.id for s in subjects(case) if s.kind == "vm"]


async def test_all_machines_of_a_set_are_subjects_when_a_suspect_gave_its_model_code() -> None:
    async with attacked(MODEL, permissions()) as there:
        assert _vms(there.case) == [f"{SET}/virtualMachines/0"]


async def test_a_set_that_the_alert_names_stands_for_its_machines() -> None:
    async with attacked(MODEL, permissions()) as there:
        alert = msgspec.structs.replace(
            there.case.alert, resources=(SET.upper().replace("/SUBSCRIPTIONS", "/subscriptions"),)
        )
        case, unread = await machines.look(there.azure, there.case.having(alert=alert, findings=()))
        assert (_vms(case), unread) == ([f"{SET}/virtualMachines/0"], ())


@pytest.mark.parametrize("young", [True, False])
async def test_a_set_that_a_suspect_made_is_deleted_and_one_that_he_only_wrote_is_cleaned(*, young: bool) -> None:
    async with attacked(MODEL, permissions()) as there:
        wrote = msgspec.structs.replace(there.case.findings[0], operation=f"{machines.SET}/write", resource=SET)
        case = there.case.having(findings=(*there.case.findings, wrote))
        made = case.since + timedelta(hours=1 if young else -1)
        there.sandbox.world.put(SET, _with(there, SET, timeCreated=made.isoformat()))
        case, _ = await machines.look(there.azure, case)
        assert _vms(case) == ([] if young else [f"{SET}/virtualMachines/0"])


async def test_a_machine_with_an_os_disk_of_the_suspect_is_a_subject() -> None:
    async with attacked(DISK, permissions()) as there:
        found = {s.name: s.reason for s in subjects(there.case) if s.kind == "vm"}
        assert found == {"vm-web-1": "a suspect wrote it, and its OS disk osdisk-web-1b is one that he wrote"}


async def test_what_can_t_be_read_is_said() -> None:
    async with attacked(DISK, ()) as there:
        case, unread = await machines.look(there.azure, there.case)
        assert _vms(case) == []
        assert unread
        assert all("Whether a suspect gave it another system is unknown" in line for line in unread)
