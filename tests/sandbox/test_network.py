"""Interfaces, security groups, Bastion's links and backup items, over plain REST."""

from typing import Any

from tests.sandbox.estate import GROUP, MALLORY, OPS, READER, SUBSCRIPTION, Rest, browser
from tests.sandbox.machines import VM, model, opened

NETWORK = f"{GROUP}/providers/Microsoft.Network"
NIC, NSG, BASTION = (
    f"{NETWORK}/networkInterfaces/nic",
    f"{NETWORK}/networkSecurityGroups/shut",
    f"{NETWORK}/bastionHosts/b",
)
V, BACKUP = "?api-version=2024-05-01", "?api-version=2024-04-01"
DENY = {"direction": "Inbound", "priority": 100, "access": "Deny", "protocol": "*"} | {
    "sourceAddressPrefix": "*",
    "sourcePortRange": "*",
    "destinationAddressPrefix": "*",
    "destinationPortRange": "*",
}


def nic(group: str = "") -> dict[str, Any]:
    inner: dict[str, Any] = {"ipConfigurations": [{"name": "one", "properties": {"privateIPAddress": "10.0.0.5"}}]}
    return {"location": "westeurope", "properties": inner | ({"networkSecurityGroup": {"id": group}} if group else {})}


def group(**rule: Any) -> dict[str, Any]:
    rules = [{"name": "deny", "properties": {**DENY, **rule}}]
    return {"location": "westeurope", "properties": {"securityRules": rules}}


async def test_an_interface_gets_a_security_group_and_loses_it() -> None:
    body = model()
    body["properties"]["networkProfile"] = {"networkInterfaces": [{"id": NIC}]}
    async with opened(body=body) as (azure, _), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        assert (await arm("PUT", NIC + V, nic(NSG)))[0] == 404
        assert (await arm("PUT", NSG + V, group()))[0] == 201
        assert (await arm("PUT", NIC + V, nic()))[0] == 201
        assert (await arm("GET", NIC + V))[0] == 200
        before = azure.world.snapshot()
        status, answer = await arm("PUT", NIC + V, nic(NSG))
        assert (status, answer["properties"]["provisioningState"]) == (200, "Updating")
        _, shown = await arm("GET", NIC + V)
        assert shown["properties"]["virtualMachine"] == {"id": VM}
        _, shown = await arm("GET", NSG + V)
        assert shown["properties"]["networkInterfaces"] == [{"id": NIC}]
        assert [r["name"] for r in shown["properties"]["defaultSecurityRules"]][:1] == ["AllowVnetInBound"]
        status, answer = await arm("DELETE", NSG + V)
        assert (status, answer["error"]["code"]) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
        status, answer = await arm("DELETE", NIC + V)
        assert (status, answer["error"]["code"]) == (400, "NicInUse")
        await arm("PUT", NIC + V, nic())
        await arm("GET", NIC + V)
        assert azure.world.snapshot() == before
        assert (await arm("DELETE", NSG + V))[0] == 202
        assert (await arm("GET", NSG + V))[0] == 404
        assert (await arm("DELETE", NSG + V))[0] == 204


async def test_joining_a_group_is_a_right_of_its_own() -> None:
    only = [{"scope": NIC, "role": "Contributor", "principal": READER}]
    async with opened() as (azure, _), browser(azure) as session:
        azure.world.put(NIC, nic())
        azure.world.put(NSG, group())
        azure.world.load({"role_assignments": only}, azure.clock.now())
        arm = Rest(session, azure.endpoints.arm, azure.token(READER, "arm"))
        status, answer = await arm("PUT", NIC + V, nic(NSG))
        assert (status, answer["error"]["code"]) == (403, "LinkedAuthorizationFailed")
        assert "networkSecurityGroups/join/action" in answer["error"]["message"]


async def test_two_rules_can_not_have_one_priority() -> None:
    async with opened() as (azure, _), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        body = group()
        body["properties"]["securityRules"] *= 2
        status, answer = await arm("PUT", NSG + V, body)
        assert (status, answer["error"]["code"]) == (400, "SecurityRuleConflict")


async def test_a_shareable_link_is_made_seen_and_taken_back() -> None:
    async with opened() as (azure, _), browser(azure) as session:
        azure.world.put(BASTION, {"location": "westeurope", "properties": {}})
        before = azure.world.snapshot()
        thief, arm = (Rest(session, azure.endpoints.arm, azure.token(w, "arm")) for w in (MALLORY, OPS))
        body = {"vms": [{"vm": {"id": VM}}]}
        assert (await thief("POST", f"{BASTION}/createShareableLinks{V}", body))[0] == 202
        status, listed = await arm("POST", f"{BASTION}/getShareableLinks{V}", body)
        assert (status, listed["value"][0]["vm"]) == (200, {"id": VM})
        assert listed["value"][0]["bsl"].startswith("https://")
        assert (await arm("POST", f"{BASTION}/deleteShareableLinks{V}", body))[0] == 202
        assert (await arm("POST", f"{BASTION}/getShareableLinks{V}", body))[1] == {"value": []}
        after = azure.world.snapshot()
        assert {k for k in after if after[k] != before.get(k)} <= {BASTION.lower()}


async def test_a_vault_says_what_it_protects() -> None:
    vault = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/v"
    item = f"{vault}/backupFabrics/Azure/protectionContainers/c/protectedItems/i"
    async with opened() as (azure, _), browser(azure) as session:
        for id_ in (vault, f"{vault}/backupFabrics/Azure", item.partition("/protectedItems/")[0]):
            azure.world.put(id_, {"properties": {}})
        azure.world.put(item, {"properties": {"sourceResourceId": VM, "protectionState": "Protected"}})
        azure.world.put(f"{item}/recoveryPoints/1", {"properties": {"recoveryPointTime": "2026-03-01T00:00:00Z"}})
        arm = Rest(session, azure.endpoints.arm, azure.token(READER, "arm"))
        _, listed = await arm("GET", f"{vault}/backupProtectedItems{BACKUP}")
        assert [i["id"] for i in listed["value"]] == [item]
        _, points = await arm("GET", f"{item}/recoveryPoints{BACKUP}")
        assert [p["name"] for p in points["value"]] == ["1"]
        where = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/westeurope/backupStatus"
        ops = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        _, status = await ops("POST", where + BACKUP, {"resourceType": "VM", "resourceId": VM})
        assert (status["protectionStatus"], status["vaultId"]) == ("Protected", vault)


async def test_a_port_is_asked_for_and_a_console_opened_by_whoever_may() -> None:
    policy = f"{GROUP}/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default"
    asked = {"virtualMachines": [{"id": VM, "ports": [{"number": 22, "allowedSourceAddressPrefix": "198.51.100.9"}]}]}
    async with opened() as (azure, _), browser(azure) as session:
        azure.world.put(policy, {"kind": "Basic", "properties": {"requests": []}})
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        status, answer = await arm("POST", f"{policy}/initiate?api-version=2020-01-01", asked)
        assert (status, answer["virtualMachines"][0]["ports"][0]["status"]) == (202, "Initiated")
        kept = azure.world.get(policy)
        assert kept
        assert kept.properties["requests"] == [answer]
        port = f"{VM}/providers/Microsoft.SerialConsole/serialPorts/0/connect?api-version=2018-05-01"
        status, answer = await arm("POST", port)
        assert (status, answer["connectionString"][:6]) == (200, "wss://")
        assert (await arm("POST", port.replace("/web/", "/none/")))[0] == 404


async def test_where_extension_operations_are_off_nothing_runs_and_nothing_goes() -> None:
    body = model()
    body["properties"]["osProfile"]["allowExtensionOperations"] = False
    async with opened(body=body) as (azure, _), browser(azure) as session:
        arm = Rest(session, azure.endpoints.arm, azure.token(OPS, "arm"))
        command = {"location": "westeurope", "properties": {"source": {"script": "true"}}}
        status, answer = await arm("PUT", f"{VM}/runCommands/x?api-version=2024-07-01", command)
        assert (status, answer["error"]["code"]) == (409, "OperationNotAllowed")
        assert "extension operations are disallowed" in answer["error"]["message"]
