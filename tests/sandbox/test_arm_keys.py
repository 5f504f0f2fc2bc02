"""What opens a resource without anybody's sign-in: keys, credentials, callback URLs, access policies, identities."""

from typing import Any

import pytest

from tests.sandbox.arm import MALLORY, NOBODY, OPS, READER, STORE, Arm, G, Json, S, arm

HERE = {"location": "westeurope"}
SITE, FLOW = f"{G}/providers/Microsoft.Web/sites/shop", f"{G}/providers/Microsoft.Logic/workflows/flow"
VAULT, REGISTRY = (
    f"{G}/providers/Microsoft.KeyVault/vaults/keep",
    f"{G}/providers/Microsoft.ContainerRegistry/registries/r",
)
ROBOT = f"{G}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/robot"
ACCOUNT = f"{G}/providers/Microsoft.Automation/automationAccounts/ops"
BUS = f"{G}/providers/Microsoft.ServiceBus/namespaces/bus/authorizationRules/Root"
TRIGGERS: Json = {"definition": {"triggers": {"manual": {"type": "Request"}}}}
WORLD: Json = {
    "resources": [
        {"id": SITE, **HERE, "kind": "functionapp", "properties": {}},
        {"id": f"{SITE}/functions/run", "properties": {}},
        {"id": VAULT, **HERE, "properties": {"accessPolicies": []}},
        {"id": REGISTRY, **HERE, "properties": {"adminUserEnabled": True}},
        {"id": BUS.partition("/authorizationRules")[0], **HERE, "properties": {}},
        {"id": BUS, "properties": {"rights": ["Manage"]}},
        {"id": ACCOUNT, **HERE, "properties": {}},
        *(
            {"id": f"{G}/providers/{kind}/{name}", **HERE, "properties": {}}
            for kind, name in (
                ("Microsoft.CognitiveServices/accounts", "ai"),
                ("Microsoft.DocumentDB/databaseAccounts", "db"),
                ("Microsoft.Cache/redis", "cache"),
                ("Microsoft.OperationalInsights/workspaces", "logs"),
            )
        ),
    ]
}


async def post(call: Arm, path: str, body: Any = None, who: str = OPS) -> Any:
    answer = await call("POST", path, body, who=who)
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.parametrize(
    ("resource", "listing", "renewal", "body"),
    [
        (STORE, "listKeys", "regenerateKey", {"keyName": "key1"}),
        (f"{G}/providers/Microsoft.CognitiveServices/accounts/ai", "listKeys", "regenerateKey", {"keyName": "Key1"}),
        (
            f"{G}/providers/Microsoft.DocumentDB/databaseAccounts/db",
            "listKeys",
            "regenerateKey",
            {"keyKind": "primary"},
        ),
        (f"{G}/providers/Microsoft.Cache/redis/cache", "listKeys", "regenerateKey", {"keyType": "PrimaryKey"}),
        (BUS, "listKeys", "regenerateKeys", {"keyType": "PrimaryKey"}),
        (REGISTRY, "listCredentials", "regenerateCredential", {"name": "password"}),
        (f"{G}/providers/Microsoft.OperationalInsights/workspaces/logs", "sharedKeys", "regenerateSharedKey", {}),
        (ACCOUNT, "listKeys", "agentRegistrationInformation/regenerateKey", {"keyName": "primary"}),
    ],
)
async def test_a_regenerated_key_is_another_and_the_world_is_the_same(
    resource: str, listing: str, renewal: str, body: Json
) -> None:
    async with arm(WORLD) as call:
        before = call.azure.world.snapshot()
        old = await post(call, f"{resource}/{listing}")
        assert await post(call, f"{resource}/{listing}") == old
        assert await post(call, f"{resource}/{renewal}", body) != old
        assert await post(call, f"{resource}/{listing}") != old
        assert call.azure.world.snapshot() == before
        assert (await call("POST", f"{resource}/{listing}", who=READER)).status == 403
        if body:
            assert (await call("POST", f"{resource}/{renewal}", dict.fromkeys(body, "none"))).status == 400


async def test_one_storage_key_is_renewed_and_not_the_other() -> None:
    async with arm(WORLD) as call:
        first = {k["keyName"]: k["value"] for k in (await post(call, f"{STORE}/listKeys"))["keys"]}
        await post(call, f"{STORE}/regenerateKey", {"keyName": "key2"})
        second = {k["keyName"]: k["value"] for k in (await post(call, f"{STORE}/listKeys"))["keys"]}
        assert (first["key1"] == second["key1"], first["key2"] == second["key2"]) == (True, False)


async def test_function_keys_are_added_listed_and_deleted() -> None:
    async with arm(WORLD) as call:
        before = call.azure.world.snapshot()
        for path, listing in (
            (f"{SITE}/host/default/functionKeys/back", f"{SITE}/host/default/listKeys"),
            (f"{SITE}/functions/run/keys/back", f"{SITE}/functions/run/listKeys"),
        ):
            assert "back" not in str(await post(call, listing))
            assert (await call("PUT", path, {"properties": {"value": "open-sesame"}}, who=MALLORY)).status == 201
            assert "open-sesame" in str(await post(call, listing))
            assert (await call("DELETE", path)).status == 204
            assert "open-sesame" not in str(await post(call, listing))
        assert call.azure.world.snapshot() == before


async def test_the_master_key_and_the_publishing_password_can_be_renewed() -> None:
    async with arm(WORLD) as call:
        hosts, publishing = f"{SITE}/host/default/listKeys", f"{SITE}/config/publishingcredentials/list"
        old = (await post(call, hosts))["masterKey"], await post(call, publishing)
        await call("PUT", f"{SITE}/host/default/functionKeys/_master", {"properties": {}})
        await post(call, f"{SITE}/newpassword")
        new = (await post(call, hosts))["masterKey"], await post(call, publishing)
        assert (old[0] != new[0], old[1] != new[1]) == (True, True)
        await call("PUT", f"{SITE}/config/appsettings", {"properties": {"A": "b"}})
        assert (await post(call, f"{SITE}/config/appsettings/list"))["properties"] == {"A": "b"}


async def test_a_logic_app_is_switched_off_and_its_urls_made_invalid() -> None:
    async with arm(WORLD) as call:
        assert (await call("PUT", FLOW, {**HERE, "properties": TRIGGERS})).body["properties"]["state"] == "Enabled"
        url = (await post(call, f"{FLOW}/triggers/manual/listCallbackUrl"))["value"]
        await post(call, f"{FLOW}/disable")
        assert (await call("GET", FLOW)).body["properties"]["state"] == "Disabled"
        await post(call, f"{FLOW}/regenerateAccessKey", {"keyType": "Primary"})
        assert (await post(call, f"{FLOW}/triggers/manual/listCallbackUrl"))["value"] != url
        await post(call, f"{FLOW}/enable")
        assert (await call("GET", FLOW)).body["properties"]["state"] == "Enabled"


async def test_access_policies_are_added_replaced_and_removed() -> None:
    async with arm(WORLD) as call:
        before = call.azure.world.snapshot()

        async def change(verb: str, *secrets: str) -> list[Json]:
            who = {"tenantId": call.azure.world.tenant, "objectId": call.oid(NOBODY)}
            body = {"properties": {"accessPolicies": [{**who, "permissions": {"secrets": list(secrets)}}]}}
            assert (await call("PUT", f"{VAULT}/accessPolicies/{verb}", body)).status == 200
            return list((await call("GET", VAULT)).body["properties"]["accessPolicies"])

        await change("add", "get")
        assert [p["permissions"] for p in await change("add", "list")] == [{"secrets": ["get", "list"]}]
        assert [p["permissions"] for p in await change("replace", "get")] == [{"secrets": ["get"]}]
        assert await change("remove") == []
        assert call.azure.world.snapshot() == before


async def test_a_user_assigned_identity_has_a_principal_as_long_as_it_lives() -> None:
    async with arm() as call:
        before = call.azure.world.snapshot()
        made = (await call("PUT", ROBOT, HERE)).body["properties"]
        assert call.azure.world.directory.find(made["principalId"])
        assert (await call("PUT", ROBOT, {**HERE, "tags": {"a": "b"}})).body["properties"] == made
        trust = {"issuer": "https://issuer.example", "subject": "me", "audiences": ["api://AzureADTokenExchange"]}
        credential = f"{ROBOT}/federatedIdentityCredentials/out"
        assert (await call("PUT", credential, {"properties": trust})).status == 201
        assert (await call("GET", f"{ROBOT}/federatedIdentityCredentials")).ids == {credential}
        assert (await call("DELETE", credential)).status == 200
        assert (await call("DELETE", ROBOT)).status == 200
        assert call.azure.world.snapshot() == before


async def test_diagnostic_settings_are_listed_where_they_are_and_not_above() -> None:
    async with arm() as call:
        kind = "providers/Microsoft.Insights/diagnosticSettings"
        body = {"properties": {"workspaceId": f"{G}/w", "logs": [{"category": "Administrative", "enabled": True}]}}
        for scope in (S, STORE):
            assert (await call("PUT", f"{scope}/{kind}/logs", body)).status == 200
            assert (await call("GET", f"{scope}/{kind}")).ids == {f"{scope}/{kind}/logs"}
        assert (await call("DELETE", f"{S}/{kind}/logs")).status == 200
        assert (await call("DELETE", f"{S}/{kind}/logs")).status == 204


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{S}/providers/Microsoft.Authorization/policyExemptions/gap", {"exemptionCategory": "Waiver"}, 201),
        (f"{S}/providers/Microsoft.Security/alertsSuppressionRules/hush", {"alertType": "*", "state": "Enabled"}, 200),
        (f"{G}/providers/Microsoft.Resources/deploymentScripts/run", {"scriptContent": "whoami"}, 201),
        (f"{G}/providers/Microsoft.Insights/activityLogAlerts/rule", {"enabled": True}, 201),
        (f"{G}/providers/Microsoft.Insights/actionGroups/team", {"enabled": True}, 201),
        (f"{REGISTRY}/tokens/pull", {"status": "enabled"}, 201),
    ],
)
async def test_what_an_intruder_plants_is_made_listed_deleted_and_put_back(path: str, body: Json, status: int) -> None:
    async with arm(WORLD) as call:
        assert (await call("PUT", path, {"properties": body}, who=OPS)).status == status
        with_it = call.azure.world.snapshot()
        assert path in (await call("GET", path.rpartition("/")[0])).ids
        kept = (await call("GET", path)).body
        assert (await call("DELETE", path)).status in {200, 204}
        assert (await call("PUT", path, kept)).status == status
        assert call.azure.world.snapshot() == with_it


@pytest.mark.parametrize(
    ("collection", "body", "secret"),
    [
        (
            "sourceControls",
            {"repoUrl": "https://git.example/x", "securityToken": {"accessToken": "t"}},
            "securityToken",
        ),
        ("python3Packages", {"contentLink": {"uri": "https://evil.example/p.whl"}}, "contentLink"),
        ("connections", {"connectionType": {"name": "AzureServicePrincipal"}}, ""),
        ("watchers", {"executionFrequencyInSeconds": 60}, ""),
    ],
)
async def test_automation_assets_are_kept_without_showing_what_is_secret(
    collection: str, body: Json, secret: str
) -> None:
    async with arm(WORLD) as call:
        before = call.azure.world.snapshot()
        path = f"{ACCOUNT}/{collection}/x"
        made = await call("PUT", path, {"properties": body})
        assert (made.status, secret in made.body["properties"]) == (201, False)
        assert (await call("GET", f"{ACCOUNT}/{collection}")).ids == {path}
        if collection == "watchers":
            await post(call, f"{path}/stop")
            assert (await call("GET", path)).body["properties"]["status"] == "Stopped"
        assert (await call("DELETE", path)).status == 200
        assert (await call("DELETE", path)).status == 404
        assert call.azure.world.snapshot() == before


async def test_a_worker_is_registered_moved_and_removed() -> None:
    async with arm(WORLD) as call:
        groups = [f"{ACCOUNT}/hybridRunbookWorkerGroups/{name}" for name in ("one", "two")]
        for group in groups:
            await call("PUT", group, {"name": group.rpartition("/")[2], "properties": {}})
        worker = f"{groups[0]}/hybridRunbookWorkers/8a3e"
        machine = {"properties": {"vmResourceId": f"{G}/providers/Microsoft.Compute/virtualMachines/m"}}
        assert (await call("PUT", worker, machine)).body["properties"]["workerName"] == "m"
        await post(call, f"{worker}/move", {"hybridRunbookWorkerGroupName": "two"})
        moved = f"{groups[1]}/hybridRunbookWorkers/8a3e"
        assert (await call("GET", f"{groups[1]}/hybridRunbookWorkers")).ids == {moved}
        assert (await call("DELETE", moved)).status == 200
        assert (await call("DELETE", moved)).status == 204


async def test_a_shared_access_signature_is_worth_nothing_once_its_key_is_made_anew() -> None:
    body: Json = {"signedServices": "b", "signedResourceTypes": "sco", "signedPermission": "rl"}
    async with arm(WORLD) as call:
        answer = await call("POST", f"{STORE}/ListAccountSas", body=body, version="2021-09-01")
        assert (answer.status, answer.code) == (400, "InvalidValuesForRequestParameters")
        body["signedExpiry"] = "2030-01-01T00:00:00Z"
        first = await call("POST", f"{STORE}/listAccountSas", body=body, version="2021-09-01")
        assert "&se=2030-01-01" in first.body["accountSasToken"]
        for name, same in (("key2", True), ("key1", False)):
            await call("POST", f"{STORE}/regenerateKey", body={"keyName": name}, version="2021-09-01")
            again = await call("POST", f"{STORE}/ListAccountSas", body=body, version="2021-09-01")
            assert (again.body == first.body) == same
        blob = {"canonicalizedResource": "/blob/store/c", "signedResource": "c", "signedPermission": "r"}
        token = (await call("POST", f"{STORE}/ListServiceSas", body=blob, version="2021-09-01")).body["serviceSasToken"]
        assert "sr=c" in token
