"""Templates: what is in one is made as if its deployer had written it, with his rights, each after what it needs."""

from typing import Any

import pytest

from sandbox.azure import lenient_json
from sandbox.azure.errors import ApiError
from sandbox.azure.template_language import evaluate
from tests.sandbox.arm import MALLORY, OPS, READER_ROLE, Arm, G, S, arm

Json = dict[str, Any]

DEPLOYMENT = f"{G}/providers/Microsoft.Resources/deployments/one"
NETWORK = {
    "type": "Microsoft.Network/virtualNetworks",
    "apiVersion": "2023-09-01",
    "name": "net",
    "location": "[resourceGroup().location]",
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.7.0.0/16"]},
        "subnets": [{"name": "a", "properties": {"addressPrefix": "10.7.1.0/24"}}],
    },
}
NIC = {
    "type": "Microsoft.Network/networkInterfaces",
    "apiVersion": "2023-09-01",
    "name": "[format('nic-{0}', copyIndex())]",
    "copy": {"name": "nics", "count": "[parameters('count')]"},
    "location": "westeurope",
    "dependsOn": ["[resourceId('Microsoft.Network/virtualNetworks', 'net')]"],
    "properties": {
        "ipConfigurations": [
            {
                "name": "main",
                "properties": {
                    "subnet": {"id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'a')]"}
                },
            }
        ]
    },
}
COUNT = {"count": {"type": "int", "defaultValue": 2}}
ROLE = {
    "type": "Microsoft.Authorization/roleAssignments",
    "apiVersion": "2022-04-01",
    "name": "[guid(resourceGroup().id, parameters('who'))]",
    "properties": {
        "roleDefinitionId": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{READER_ROLE}')]",
        "principalId": "[parameters('who')]",
    },
}


def template(*resources: Json, **more: Any) -> Json:
    return {"properties": {"mode": "Incremental", "template": {"resources": list(resources), **more}}}


async def deployed(call: Arm, body: Json, path: str = DEPLOYMENT, who: str = OPS) -> Json:
    """The deployment once it has ended."""
    begun = await call("PUT", path, body, who=who)
    assert begun.status in {200, 201}, begun.body
    assert begun.body["properties"]["provisioningState"] == "Accepted"
    await call("GET", begun.headers["Location"], who=who)
    return dict((await call("GET", path)).body["properties"])


async def test_resources_are_made_in_the_order_of_what_they_need_and_tell_what_they_are() -> None:
    async with arm() as call:
        address = "[reference('nic-1', '2023-09-01').ipConfigurations[0].properties.privateIPAddress]"
        outputs = {"address": {"type": "string", "value": address}}
        ended = await deployed(call, template(NIC, NETWORK, parameters=COUNT, outputs=outputs))
        assert ended["provisioningState"] == "Succeeded"
        home = f"{G}/providers/Microsoft.Network"
        assert [one["id"] for one in ended["outputResources"]] == [
            f"{home}/virtualNetworks/net",
            f"{home}/networkInterfaces/nic-0",
            f"{home}/networkInterfaces/nic-1",
        ]
        assert ended["outputs"]["address"]["value"] == "10.7.1.5"
        steps = (await call("GET", f"{DEPLOYMENT}/operations")).body["value"]
        assert [one["properties"]["provisioningState"] for one in steps] == ["Succeeded"] * 3


async def test_what_is_made_is_in_the_log_as_its_deployers_doing() -> None:
    async with arm() as call:
        await deployed(call, template(NETWORK))
        events = [event for some in call.azure.world.activity.events.values() for event in some]
        mine = [event for event in events if event["caller"] == OPS]
        assert "Microsoft.Network/virtualNetworks/write" in {event["operationName"]["value"] for event in mine}
        assert len({event["correlationId"] for event in mine}) == 1


async def test_nothing_is_made_where_a_right_for_one_resource_is_missing() -> None:
    async with arm() as call:
        body = template(NETWORK, ROLE, parameters={"who": {"type": "string", "defaultValue": call.oid(MALLORY)}})
        before = call.azure.world.snapshot()
        refused = await call("PUT", DEPLOYMENT, body, who=MALLORY)  # a Contributor
        assert (refused.status, refused.code) == (403, "InvalidTemplateDeployment")
        assert "Microsoft.Authorization/roleAssignments/write" in refused.message
        assert call.azure.world.snapshot() == before
        assert (await deployed(call, body))["provisioningState"] == "Succeeded"


async def test_what_fails_is_told_and_what_needs_it_is_not_tried() -> None:
    async with arm() as call:
        account = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "location": "westeurope"}
        bad = {**account, "name": "No-Name"}
        needs = {**NETWORK, "dependsOn": ["[resourceId('Microsoft.Storage/storageAccounts', 'No-Name')]"]}
        ended = await deployed(call, template(needs, bad, {**account, "name": "fine"}))
        assert ended["provisioningState"] == "Failed"
        assert ended["error"]["code"] == "DeploymentFailed"
        assert [one["code"] for one in ended["error"]["details"]] == ["AccountNameInvalid"]
        assert [one["id"].rpartition("/")[2] for one in ended["outputResources"]] == ["fine"]
        assert (await call("GET", f"{G}/providers/Microsoft.Network/virtualNetworks/net")).status == 404


async def test_no_value_of_a_secret_parameter_is_kept() -> None:
    async with arm() as call:
        parameters = {"hidden": {"type": "secureString"}}
        body = template(NETWORK, parameters=parameters)
        body["properties"]["parameters"] = {"hidden": {"value": "n0b0dys-s3cret"}}
        assert (await deployed(call, body))["parameters"] == {"hidden": {"type": "secureString"}}
        assert "n0b0dys-s3cret" not in str(call.azure.world.snapshot())


async def test_a_subscription_gets_groups_and_deployments_in_them() -> None:
    async with arm() as call:
        group = {
            "type": "Microsoft.Resources/resourceGroups",
            "apiVersion": "2022-09-01",
            "name": "lab",
            "location": "eu",
        }
        inner = {"parameters": {"name": {"type": "string"}}, "resources": [{**NETWORK, "name": "[parameters('name')]"}]}
        nested = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2022-09-01",
            "name": "inner",
            "resourceGroup": "lab",
            "dependsOn": ["lab"],
            "properties": {
                "mode": "Incremental",
                "expressionEvaluationOptions": {"scope": "inner"},
                "parameters": {"name": {"value": "[toLower('NET2')]"}},
                "template": inner,
            },
        }
        path = f"{S}/providers/Microsoft.Resources/deployments/whole"
        ended = await deployed(call, {"location": "westeurope", **template(nested, group)}, path)
        assert ended["provisioningState"] == "Succeeded"
        network = f"{S}/resourceGroups/lab/providers/Microsoft.Network/virtualNetworks/net2"
        assert (await call("GET", network)).body["location"] == "eu"
        listed = (await call("GET", f"{S}/providers/Microsoft.Resources/deployments")).ids
        assert listed == {path}, "those to its groups are theirs"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (template({**NETWORK, "name": "[listKeys('x', 'y').key]"}), 501, "listKeys"),
        (template({**NETWORK, "name": "[parameters('none')]"}), 400, "none"),
        (template({**NETWORK, "name": "[concat('a']"}), 400, "concat" ),
        (template({**NETWORK, "name": "a/b"}), 400, "incorrect segment lengths"),
        (template(NETWORK, parameters={"who": {"type": "string"}}), 400, "'who' is not provided"),
        (template({**NETWORK, "dependsOn": ["net"]}), 400, "Circular dependency"),
        ({"properties": {"mode": "Complete", "template": {"resources": []}}}, 501, "Complete"),
        ({"properties": {"templateLink": {"uri": "https://example.com"}}}, 501, "linked"),
        ({}, 400, "'properties'"),
    ],
)  # fmt: skip
async def test_what_can_not_be_deployed_is_refused_by_name_and_nothing_is_made(
    body: Json, status: int, words: str
) -> None:
    async with arm() as call:
        before = call.azure.world.snapshot()
        refused = await call("PUT", DEPLOYMENT, body)
        assert refused.status == status
        assert words in refused.message
        assert (await call("POST", f"{DEPLOYMENT}/validate", body)).status == status
        assert call.azure.world.snapshot() == before
        assert (await call("GET", DEPLOYMENT)).code == "DeploymentNotFound"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("[[kept]", "[kept]"),
        ("[concat('it''s ', string(add(1, -3)))]", "it's -2"),
        ("[if(equals(toLower('A'), 'a'), createArray(1, 2)[1], fails())]", 2),
        ("[createObject('a', createObject('B', true())).A.b]", True),
        ("[union(createObject('a', 1), createObject('b', null()))]", {"a": 1, "b": None}),
        ("[format('{0}-{1}', 'x', 5)]", "x-5"),
        ("[guid('a', 'b')]", "2d796349-8c7e-55ec-9624-54ece82ed031"),
    ],
)
def test_expressions(text: str, value: object) -> None:
    assert evaluate(text, {}) == value


def test_loops_within_properties() -> None:
    asked = {"copy": [{"name": "rules", "count": 2, "input": {"n": "[copyIndex('rules', 100)]"}}], "kept": 1}
    assert evaluate(asked, {}) == {"kept": 1, "rules": [{"n": 100}, {"n": 101}]}


def test_a_template_is_read_as_its_author_wrote_it() -> None:
    text = '{properties: {/* a */ "a": "x // no comment", // b\n "b": "two\nlines", $c: [1, 2,], }}'
    assert lenient_json.loads(text) == {"properties": {"a": "x // no comment", "b": "two\nlines", "$c": [1, 2]}}
    with pytest.raises(ValueError, match="Expecting"):
        lenient_json.loads("garbage")


def test_an_unknown_function_is_not_evaluated() -> None:
    with pytest.raises(ApiError, match="'nothing' is not expected"):
        evaluate("[nothing()]", {})
