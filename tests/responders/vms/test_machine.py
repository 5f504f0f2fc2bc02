"""Machines are told apart, and what can't be done to one says what a person must."""

from typing import Any

import pytest

from responders.vms.machine import Need, described

BASE = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64/resourceGroups/rg/providers/Microsoft.Compute"
VM = f"{BASE}/virtualMachines/web"
INSTANCE = f"{BASE}/virtualMachineScaleSets/web/virtualMachines/3"
CLUSTER = "/subscriptions/x/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-prod"
MANAGED = {"managedDisk": {"id": f"{BASE}/disks/os"}}
READY = [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]
_CLOSED = "Extension operations are off in web"
_OFF = "is {}: nothing runs in it"
ADE = {"properties": {"publisher": "Microsoft.Azure.Security", "type": "AzureDiskEncryptionForLinux"}}


def body(
    id_: str = VM,
    *,
    disk: dict[str, Any] = MANAGED,
    power: str = "running",
    agent: list[dict[str, str]] = READY,
    nics: tuple[str, ...] = ("nic",),
    extensions: bool = True,
    **top: Any,
) -> dict[str, Any]:
    storage = {
        "imageReference": {"offer": "ubuntu"},
        "osDisk": {"osType": "Linux", "createOption": "FromImage", **disk},
    }
    properties = {
        "vmId": "1",
        "storageProfile": storage,
        "osProfile": {"adminUsername": "admin", "allowExtensionOperations": extensions},
        "networkProfile": {"networkInterfaces": [{"id": nic} for nic in nics]},
        "instanceView": {"statuses": [{"code": f"PowerState/{power}"}], "vmAgent": {"statuses": agent}},
    }
    return {"id": id_, "name": "web", "location": "westeurope", "properties": properties, **top}


@pytest.mark.parametrize(
    ("machine", "cluster", "hindered"),
    [
        (body(), "", {}),
        (body(disk={"diffDiskSettings": {"option": "Local"}}), "", {"disks": "ephemeral OS disk"}),
        (body(disk={"vhd": {"uri": "https://x"}, "name": "os"}), "", {"disks": "are blobs", "rebuild": "no managed"}),
        (body(INSTANCE), "", {"network": "scale set web"}),
        (
            body(),
            CLUSTER,
            {
                "network": "cordon and drain the node",
                "scripts": "cordon and drain the node",
                "rebuild": "cordon and drain the node",
            },  # what an intruder had Azure keep for it goes without a script
        ),
        (body(power="deallocated"), "", {"scripts": _OFF.format("deallocated"), "removal": _OFF.format("deallocated")}),
        (body(power="stopped"), "", {"scripts": _OFF.format("stopped"), "removal": _OFF.format("stopped")}),
        (body(agent=[]), "", {"scripts": "does not report in", "removal": "does not report in"}),
        (body(extensions=False), "", {"scripts": _CLOSED, "removal": _CLOSED}),
        (body(resources=[ADE]), "", {"rebuild": "encrypted by Azure Disk Encryption"}),
        (body(nics=()), "", {"network": "no network interface"}),
    ],
    ids=[
        "linux",
        "ephemeral",
        "blobs",
        "instance",
        "node",
        "deallocated",
        "stopped",
        "agent",
        "extensions off",
        "encrypted",
        "no nic",
    ],
)
def test_what_can_not_be_done_says_why(machine: dict[str, Any], cluster: str, hindered: dict[Need, str]) -> None:
    found = described(machine, cluster)
    for need in ("network", "disks", "scripts", "removal", "rebuild"):
        why = found.hindrance(need)
        assert hindered.get(need, "") in why
        assert bool(why) == (need in hindered), (need, why)


def test_where_its_system_comes_from() -> None:
    attached, specialized = body(disk={**MANAGED, "createOption": "Attach"}), body()
    del specialized["properties"]["osProfile"]
    assert [described(b).origin for b in (body(), attached, specialized)] == ["image", "attached", "specialized"]
    assert described(body(INSTANCE)).scale_set == INSTANCE.removesuffix("/virtualMachines/3")
