"""What of a definition is kept, compared, and written again; and in which order things go."""

from typing import Any

import pytest

from responders.subscriptions.definition import again, essence, evidence, exported, hides
from responders.subscriptions.deletion_order import ordered
from responders.subscriptions.resource_types import whose

Json = dict[str, Any]

GROUP = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64/resourceGroups/g"


def thing(kind: str, name: str = "x", **properties: Any) -> Json:
    return {"id": f"{GROUP}/providers/{kind}/{name}", "name": name, "type": kind, "properties": properties}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("administratorLoginPassword", "made-up"),
        ("primaryKey", "made-up"),
        ("connectionString", "Endpoint=made-up"),
        ("clientSecret", "made-up"),
        ("protectedSettings", {"command": "made-up"}),
        ("uri", "https://x.example/hook?sig=made-up&sp=r"),
        ("environmentVariables", [{"name": "DB_PASSWORD", "value": "made-up"}]),
    ],
)
def test_secrets_are_not_kept_and_not_written_again(name: str, value: Any) -> None:
    kept = evidence(thing("Microsoft.Example/things", **{name: value, "size": 3}))
    assert "made-up" not in str(kept)
    assert hides(kept)
    assert "not kept" not in str(again(kept, frozenset()))
    assert again(kept, frozenset())["properties"]["size"] == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyData", "ssh-ed25519 AAAA"),
        ("permissions", {"secrets": ["get", "list"]}),
        ("secretUri", "https://v.example/secrets/s"),
        ("disablePasswordAuthentication", True),
        ("environmentVariables", [{"name": "WALLET", "value": "4Amadeup"}]),
    ],
)
def test_what_is_no_secret_is_evidence(name: str, value: Any) -> None:
    body = thing("Microsoft.Example/things", **{name: value})
    assert evidence(body) == body
    assert not hides(body)


def test_who_uses_a_thing_and_what_azure_is_doing_with_it_is_no_part_of_its_definition() -> None:
    nic = "Microsoft.Network/networkInterfaces"
    free = thing(nic, ipConfigurations=[{"name": "a"}], provisioningState="Succeeded")
    used = thing(nic, ipConfigurations=[{"name": "a"}], provisioningState="Updating", virtualMachine={"id": "/x"})
    assert essence(free) == essence({**used, "systemData": {"createdBy": "x"}, "etag": "1"})
    assert essence(free) != essence(thing(nic, ipConfigurations=[{"name": "b"}]))


def test_a_vault_is_recovered_and_not_made_anew() -> None:
    assert again(thing("Microsoft.KeyVault/vaults", sku={"name": "standard"}), frozenset())["properties"] == {
        "sku": {"name": "standard"},
        "createMode": "recover",
    }


def test_a_machine_comes_back_on_a_disk_that_stayed() -> None:
    disk = f"{GROUP}/providers/Microsoft.Compute/disks/d"
    storage = {"imageReference": {"sku": "s"}, "osDisk": {"createOption": "FromImage", "managedDisk": {"id": disk}}}
    machine = thing("Microsoft.Compute/virtualMachines", storageProfile=storage, osProfile={"computerName": "c"})
    there = again(machine, frozenset())["properties"]
    assert (there["storageProfile"]["osDisk"]["createOption"], "osProfile" in there) == ("Attach", False)
    gone = again(machine, frozenset({disk.lower()}))["properties"]
    assert gone["storageProfile"]["osDisk"] == {"createOption": "FromImage", "managedDisk": {}}
    assert len(gone["osProfile"]["adminPassword"]) > 20


def test_who_administers_a_server_or_a_scale_set_gets_a_password_that_nobody_knows() -> None:
    profile = {"adminUsername": "a", "linuxConfiguration": {"disablePasswordAuthentication": False}}
    scale_set = thing("Microsoft.Compute/virtualMachineScaleSets", virtualMachineProfile={"osProfile": profile})
    made = again(scale_set, frozenset())["properties"]["virtualMachineProfile"]["osProfile"]
    assert len(made["adminPassword"]) > 20
    server = again(thing("Microsoft.Sql/servers", administratorLogin="a"), frozenset())["properties"]
    assert len(server["administratorLoginPassword"]) > 20
    profile["linuxConfiguration"] = {"disablePasswordAuthentication": True}
    closed = again(scale_set, frozenset())["properties"]["virtualMachineProfile"]["osProfile"]
    assert "adminPassword" not in closed


def test_an_exported_child_is_one_with_an_id() -> None:
    entry = {"type": "Microsoft.Sql/servers/databases", "name": "s/d", "apiVersion": "2023-08-01", "dependsOn": ["x"]}
    assert exported(GROUP, entry) == {
        "id": f"{GROUP}/providers/Microsoft.Sql/servers/s/databases/d",
        "version": "2023-08-01",
        "body": {
            "id": f"{GROUP}/providers/Microsoft.Sql/servers/s/databases/d",
            "type": "Microsoft.Sql/servers/databases",
        },
    }


def test_in_a_circle_of_uses_the_layers_decide() -> None:
    address = thing("Microsoft.Network/publicIPAddresses", "p")
    nic = thing("Microsoft.Network/networkInterfaces", "n", publicIPAddress={"id": address["id"]})
    address["properties"] = {"ipConfiguration": {"id": f"{nic['id']}/ipConfigurations/a"}}
    machine = thing("Microsoft.Compute/virtualMachines", "m", networkInterfaces=[{"id": nic["id"]}])
    nic["properties"]["virtualMachine"] = {"id": machine["id"]}
    assert ordered([[address], [nic], [machine]]) == [(2, []), (1, [2]), (0, [1])]


def test_what_manages_something_uses_it() -> None:
    scale_set = thing("Microsoft.Compute/virtualMachineScaleSets", "s")
    disk = {**thing("Microsoft.Compute/disks", "d"), "managedBy": f"{scale_set['id']}/virtualMachines/0"}
    assert ordered([[disk], [scale_set]]) == [(1, []), (0, [1])]


def test_a_circle_without_layers_ends_too() -> None:
    names = ["a", "b", "c"]
    ids = {n: f"{GROUP}/providers/Microsoft.Example/things/{n}" for n in names}
    ring = [thing("Microsoft.Example/things", n, next={"id": ids[names[(k + 1) % 3]]}) for k, n in enumerate(names)]
    order = ordered([[body] for body in ring])
    assert sorted(n for n, _ in order) == [0, 1, 2]
    assert all(set(before) <= {n for n, _ in order[:place]} for place, (_, before) in enumerate(order))


def test_what_others_review_is_not_deleted_by_itself() -> None:
    assert "runbook" not in whose("Microsoft.Automation/automationAccounts")
    assert whose("Microsoft.Automation/automationAccounts") == ""
    assert whose("Microsoft.Automation/automationAccounts/runbooks")
    assert whose("microsoft.compute/virtualmachines/extensions")


def test_keys_in_a_connection_string_are_not_kept_whatever_it_is_named() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=st;AccountKey=bm90IGEga2V5==;EndpointSuffix=core.windows.net"

    kept = evidence({"name": "AzureWebJobsStorage", "value": text})

    assert kept["value"].startswith("DefaultEndpointsProtocol=https;AccountName=st;AccountKey=(not kept")
    assert "bm90" not in kept["value"]
    assert hides(kept)
