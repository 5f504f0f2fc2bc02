"""What a compiler would say of infra/, as far as it can be said without one."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import tree_sitter_bicep
import yaml
from tree_sitter import Language, Node, Parser

from sandbox.azure.roles import BY_ID
from tests.infra.bicep import FILES, GRAPH, INFRA, ROOT, code, description, name, passed, read, required

each_file = pytest.mark.parametrize("file", FILES, ids=name)
MAIN, PROTECT, ABOVE = (INFRA / f for f in ("main.bicep", "protect.bicep", "protect-management-group.bicep"))
# Versions that are known to be there, from Microsoft's own samples and type lists.
VERSIONS = {
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/policyAssignments": "2025-03-01",
    "Microsoft.Authorization/policyDefinitions": "2025-03-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Authorization/roleDefinitions": "2022-04-01",
    "Microsoft.DurableTask/schedulers": "2025-11-01",
    "Microsoft.DurableTask/schedulers/taskHubs": "2025-11-01",
    "Microsoft.EventGrid/topics": "2025-02-15",
    "Microsoft.EventGrid/topics/eventSubscriptions": "2025-02-15",
    "Microsoft.Graph/appRoleAssignedTo": "v1.0",
    "Microsoft.Graph/applications": "v1.0",
    "Microsoft.Graph/applications/federatedIdentityCredentials": "v1.0",
    "Microsoft.Graph/servicePrincipals": "v1.0",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.KeyVault/vaults": "2024-11-01",
    "Microsoft.KeyVault/vaults/secrets": "2024-11-01",
    "Microsoft.Logic/workflows": "2019-05-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/networkSecurityGroups": "2024-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
    "Microsoft.Network/privateEndpoints": "2024-05-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "2024-05-01",
    "Microsoft.Network/virtualNetworks": "2024-05-01",
    "Microsoft.OperationalInsights/workspaces": "2025-02-01",
    "Microsoft.Resources/resourceGroups": "2024-11-01",
    "Microsoft.Security/automations": "2023-12-01-preview",
    "Microsoft.Security/pricings": "2024-01-01",
    "Microsoft.Storage/storageAccounts": "2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices": "2025-01-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2025-01-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": "2025-01-01",
    "Microsoft.Storage/storageAccounts/queueServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/tableServices": "2025-06-01",
    "Microsoft.Web/connections": "2016-06-01",
    "Microsoft.Web/serverfarms": "2024-04-01",
    "Microsoft.Web/sites": "2024-04-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "2024-04-01",
    "Microsoft.Web/sites/config": "2024-04-01",
}
# What Azure takes as a name, by type. A token stands for the thirteen characters of uniqueString().
NAMES = {
    "Microsoft.DurableTask/schedulers": r"[a-zA-Z0-9-]{3,64}",
    "Microsoft.EventGrid/topics": r"[a-zA-Z0-9-]{3,50}",
    "Microsoft.KeyVault/vaults": r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "Microsoft.Logic/workflows": r"[\w.-]{1,43}",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[a-zA-Z0-9][\w-]{2,127}",
    "Microsoft.OperationalInsights/workspaces": r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.Web/serverfarms": r"[a-zA-Z0-9-]{1,60}",
    "Microsoft.Web/sites": r"[a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9]",
}
# GUIDs that mean something to Azure. Roles that the sandbox knows too are compared with it.
IDS = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "0ad04412-c4d5-4796-b79c-f76d14c8d402": "Durable Task Data Contributor",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "fb1c8493-542b-48eb-b624-b4c8fea62acd": "Security Admin",
    "749f88d5-cbae-40b8-bcfc-e573ddc772fa": "Monitoring Contributor",
    "92aaf0da-9dab-42b6-94a3-d43ce8d16293": "Log Analytics Contributor",
    "b7021b2b-08fd-4dc0-9de7-3c6ece09faf9": "policy: Defender for Resource Manager is enabled",
    "2465583e-4e78-4c15-b6be-a36cbc7c8b0f": "policy: the Activity Log goes to a workspace",
    "00000003-0000-0000-c000-000000000000": "Microsoft Graph",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
}
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def broken(node: Node) -> list[str]:
    if node.type == "ERROR" or node.is_missing:
        return [f"line {node.start_point[0] + 1}: {(node.text or b'')[:60]!r}"]
    return [line for child in node.children for line in broken(child)]


@pytest.mark.parametrize("file", [f for f in FILES if f != GRAPH], ids=name)
def test_the_grammar_of_the_editors_reads_it(file: Path) -> None:
    parser = Parser(Language(tree_sitter_bicep.language()))
    assert broken(parser.parse(file.read_bytes()).root_node) == []


@each_file
def test_the_other_parser_reads_it(file: Path) -> None:
    assert read(file)["resources"] or read(file)["modules"]


@each_file
def test_every_parameter_and_variable_is_used(file: Path) -> None:
    tree, text = read(file), code(file)
    named = [*(f"param {p}" for p in tree["parameters"]), *(f"var {v}" for v in tree["variables"])]
    uses = {n: rf"(?<![\w.]){n.split()[1]}\b(?!:)|\bin {n.split()[1]}:" for n in named}
    assert [n for n in named if not re.search(uses[n], text.replace(n, "", 1))] == []


@each_file
def test_every_parameter_is_explained(file: Path) -> None:
    assert [p for p, entry in read(file)["parameters"].items() if not description(entry)] == []


@each_file
def test_modules_are_there_and_get_what_they_take(file: Path) -> None:
    for module in read(file)["modules"].values():
        target = file.parent / module["detail"]["path"]
        assert target.is_file()
        taken = passed(module)
        assert required(target) <= taken <= set(read(target)["parameters"]), module["detail"]["path"]


@each_file
def test_only_outputs_that_are_there_are_used(file: Path) -> None:
    for module, entry in read(file)["modules"].items():
        there = set(read(file.parent / entry["detail"]["path"])["outputs"])
        assert set(re.findall(rf"\b{module}\.outputs\.(\w+)", code(file))) <= there


def test_every_output_of_a_module_is_used() -> None:
    used: dict[Path, set[str]] = {}
    for file in FILES:
        for module, entry in read(file)["modules"].items():
            target = (file.parent / entry["detail"]["path"]).resolve()
            used.setdefault(target, set()).update(re.findall(rf"\b{module}\.outputs\.(\w+)", code(file)))
    for file in (INFRA / "modules").glob("*.bicep"):
        assert set(read(file)["outputs"]) == used.get(file, set()), file.name


def test_every_output_of_a_deployment_is_explained_and_told_where_it_goes() -> None:
    readers = [ROOT / "azure.yaml", INFRA / "consent.sh", ROOT / "docs" / "deploy.md"]
    told = "".join(file.read_text("utf-8") for file in readers)
    for file in (MAIN, PROTECT, GRAPH):
        for output, entry in read(file)["outputs"].items():
            assert description(entry), output
            assert output in told, output


@each_file
def test_only_known_versions_are_asked_for(file: Path) -> None:
    for one in read(file)["resources"].values():
        assert VERSIONS.get(one["type"]) == one["api_version"], one["type"]


@each_file
def test_names_are_such_as_azure_takes(file: Path) -> None:
    for kind, given in re.findall(
        r"^resource \w+ '([\w./]+)@[\w.-]+' = (?:if .*)?\{\n(?:  .*\n)*?  name: '([^']*)'", code(file), re.MULTILINE
    ):
        made = given.replace("${token}", "abcdefghijklm")
        if "${" not in made and kind in NAMES:
            assert re.fullmatch(NAMES[kind], made), f"{kind}: {made}"


def test_every_guid_means_what_it_is_held_to_mean() -> None:
    own = {role["id"] for role in json.loads((INFRA / "roles.json").read_bytes()).values()}
    files = [*FILES, INFRA / "policy.json", INFRA / "consent.sh"]
    used = {guid for file in files for guid in re.findall(GUID, file.read_text("utf-8"))}
    assert used - own - {"00000000-0000-0000-0000-000000000000"} <= set(IDS)
    assert {guid for guid in IDS if guid in BY_ID and BY_ID[guid].name != IDS[guid]} == set()


def test_no_key_is_read_and_no_password_is_needed() -> None:
    for file in FILES:
        text = code(file)
        assert not re.search(r"\blist(?!CallbackUrl)\w*\(", text), file.name
        assert ("listCallbackUrl(" in text) == (file.name == "automation.bicep")
        assert "allowSharedKeyAccess: true" not in text
        assert "disableLocalAuth: false" not in text


def test_secrets_are_secure_parameters_and_never_put_out() -> None:
    for file in FILES:
        text = file.read_text("utf-8")
        for secret in ("linkKey", "channels"):
            if f"param {secret} " in text:
                assert re.search(rf"@secure\(\)\n@description\([^\n]*\)\nparam {secret} ", text), file.name
            # A reference into the vault is called as the secret is; its value is not of it.
            put_out = [line.partition("=")[2] for line in text.splitlines() if line.startswith("output ")]
            assert not [line for line in put_out if re.search(rf"(?<!/)\b{secret}\b(?!\.)", line)], file.name


def test_the_parameters_file_gives_what_has_no_default() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_bytes())["parameters"]
    assert set(given) == required(MAIN)
    asked = set(re.findall(r"\$\{(\w+)\}", json.dumps(given)))
    told = (ROOT / "azure.yaml").read_text("utf-8") + (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert asked <= {"AZURE_ENV_NAME", "AZURE_LOCATION", *re.findall(r"azd env set (\w+)", told)}


def test_azd_finds_what_it_deploys() -> None:
    said = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
    [service] = said["services"]
    assert f"'azd-service-name': '{service}'" in code(INFRA / "modules" / "app.bicep")
    assert (ROOT / said["infra"]["path"] / f"{said['infra']['module']}.bicep").is_file()
    # azd up asks for parameters before it runs the hook of provisioning.
    assert said["hooks"]["preup"] == said["hooks"]["preprovision"]
    hooks = "".join(hook["run"] for hook in said["hooks"].values())
    assert all((ROOT / path).is_file() for path in re.findall(r"infra/[\w.-]+", hooks))
    assert set(re.findall(r"(\w+)=\"\$", hooks)) == set(read(INFRA / "eventgrid.bicep")["parameters"])
    known = {*read(MAIN)["outputs"], "AZURE_ENV_NAME", "AZURE_SUBSCRIPTION_ID", "client"}
    assert set(re.findall(r"\$(\w+)", hooks)) <= known


def test_azd_finds_one_group_to_deploy_the_code_to() -> None:
    """Of two groups with its tag it takes neither: azd deploy fails."""
    groups = re.findall(
        r"^resource \w+ 'Microsoft\.Resources/resourceGroups@[^}]*\n  tags: (\w+)", code(MAIN), re.MULTILINE
    )
    assert sorted(groups) == ["allTags", "tags"]
    assert re.search(r"^var allTags = union\(tags, \{\s+'azd-env-name': environmentName\s", code(MAIN), re.MULTILINE)


@pytest.mark.parametrize(("code_", "kept"), [(0, ["env set COUNTERSIGN_SIGN_IN_CLIENT_ID an-id"]), (1, [])])
def test_an_application_that_could_not_be_made_does_not_take_the_place_of_one(
    tmp_path: Path, code_: int, kept: list[str]
) -> None:
    hook = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))["hooks"]["preup"]["run"]
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "consent.sh").write_text(f"echo an-id; exit {code_}\n")
    (tmp_path / "azd").write_text('#!/bin/sh\necho "$*" >>azd.log\n')
    (tmp_path / "azd").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "AZURE_ENV_NAME": "prod"}

    done = subprocess.run(["/bin/sh", "-c", hook], cwd=tmp_path, env=environment, check=False)  # noqa: S603

    log = tmp_path / "azd.log"
    assert (done.returncode, log.read_text().splitlines() if log.exists() else []) == (code_, kept)


def test_a_policy_that_is_locked_can_be_left_alone() -> None:
    """Azure lets a locked one only be extended: a deployment that writes it fails."""
    assert re.search(
        r"^resource immutable '[^']+' = if \(days > 0\) \{", code(INFRA / "modules/evidence.bicep"), re.MULTILINE
    )
    assert re.search(r"^@minValue\(0\)\n@maxValue\(146000\)\nparam evidenceDays int = \d+$", code(MAIN), re.MULTILINE)


def test_all_files_speak_of_the_same_trigger_function_and_container() -> None:
    workflow = json.loads((INFRA / "workflow.json").read_bytes())
    [trigger] = workflow["triggers"]
    assert f"var trigger = '{trigger}'" in code(PROTECT)
    assert f"var trigger = '{trigger}'" in code(ABOVE)
    delivered = code(INFRA / "eventgrid.bicep")
    [event] = workflow["actions"]["Leave_with_Event_Grid"]["inputs"]["body"]
    assert f"'{event['eventType']}'" in delivered
    assert "/functions/on_event'" in delivered
    assert "blobContainerName: 'deadletters'" in delivered
    assert "var deadLetters = 'deadletters'" in code(INFRA / "modules" / "storage.bicep")


def test_the_policy_makes_the_automation_that_a_single_subscription_gets() -> None:
    policy = (INFRA / "policy.json").read_text("utf-8")
    own = code(INFRA / "modules" / "automation.bicep")
    for field in ("propertyJPath", "propertyType", "operator"):
        assert set(re.findall(rf'"{field}": "(\w+)"', policy)) == set(re.findall(rf"{field}: '(\w+)'", own))
    assert '"expectedValue": "ResourceManager"' in policy
    assert "expectedValue: 'ResourceManager'" in own
    assert read(PROTECT)["parameters"].keys() & {"severities"} == read(ABOVE)["parameters"].keys() & {"severities"}
    assert set(re.findall(r"parameters\('(\w+)'\)", policy)) == set(json.loads(policy)["parameters"])
