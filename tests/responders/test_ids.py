"""Ids are parsed, never pasted."""

import pytest

from responders.errors import Permanent
from responders.ids import ResourceId, within

SUB = "/subscriptions/0F907EA4-bc8b-4c11-9d7e-805c2fd144fb"


def test_a_resource_is_taken_apart() -> None:
    id_ = ResourceId.parse(f"{SUB}/resourceGroups/rg-1/providers/Microsoft.Automation/automationAccounts/a/runbooks/r")

    assert id_.subscription == "0f907ea4-bc8b-4c11-9d7e-805c2fd144fb"
    assert (id_.group, id_.type) == ("rg-1", "Microsoft.Automation/automationAccounts/runbooks")
    assert (id_.names, id_.name) == (("a", "r"), "r")


def test_a_subscription_and_a_group_are_ids_too() -> None:
    assert ResourceId.parse(SUB).name == "0f907ea4-bc8b-4c11-9d7e-805c2fd144fb"
    assert ResourceId.parse(f"{SUB}/resourceGroups/rg").name == "rg"


def test_an_extension_resource_knows_its_scope() -> None:
    vm = f"{SUB}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"

    id_ = ResourceId.parse(f"{vm}/providers/Microsoft.Authorization/locks/l")

    assert (id_.scope, id_.type) == (vm, "Microsoft.Authorization/locks")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "subscriptions/x",
        "/subscriptions/not-a-guid",
        f"{SUB}/resourceGroups",
        f"{SUB}/resourceGroups/../../other",
        f"{SUB}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm' or 1 eq 1",
        f'{SUB}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm" | take 1',
        f"{SUB}/resourceGroups/<script>",
        f"{SUB}/resourceGroups/rg?api-version=1",
        f"{SUB}/resourceGroups/rg#x",
        f"{SUB}/resourceGroups/rg%2F..",
        f"{SUB}/resourceGroups/rg\n",
        f"{SUB}/resourceGroups/{'x' * 3000}",
        f"{SUB}/providers/Microsoft.Compute/virtualMachines",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Permanent, match="Not a resource id"):
        ResourceId.parse(text)


def test_within_goes_by_whole_segments() -> None:
    assert within(f"{SUB}/resourceGroups/rg/providers/x/y/z", f"{SUB.lower()}/RESOURCEGROUPS/rg")
    assert not within(f"{SUB}/resourceGroups/rg-2", f"{SUB}/resourceGroups/rg")
