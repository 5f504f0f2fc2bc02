"""App settings and host.json: what Bicep writes is what the code reads, and what Flex Consumption takes."""

import json
import re
from datetime import timedelta

import azure.functions as func
import msgspec
import pytest

from responders.settings import PREFIX, Settings
from tests.infra.bicep import INFRA, ROOT, code, read

MAIN, APP = INFRA / "main.bicep", INFRA / "modules" / "app.bicep"
HOST = json.loads((ROOT / "host.json").read_bytes())
WRITTEN = set(re.findall(r"^\s+([A-Z]\w+): ", code(MAIN) + code(APP), re.MULTILINE))
CLOUDS = json.loads((INFRA / "clouds.json").read_bytes())
# Whoever deploys may choose these by the parameter `settings`: their defaults suit any deployment.
CHOSEN = {
    "owner_wait",
    "approval_wait",
    "lookback",
    "baseline",
    "rules",
    "familiar",
    "familiar_tags",
    "pipelines",
    "owner_tags",
    "max_changes",
    "gates",
    "images",
    "keep_runs",
    "soc_ranges",
}
# What Flex Consumption refuses or ignores, from its page of deprecated settings.
REFUSED = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME\w*|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_CONTENT\w+"
    r"|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT|WEBSITE_TIME_ZONE|TZ"
    r"|AzureWebJobsStorage|AzureWebJobsDashboard|WEBSITE_AUTH_ENABLED"
)
# The same of the site's properties: without FTP, 32 bits, versions and scale in their old places.
SITE_REFUSED = (
    "alwaysOn",
    "containerSize",
    "ftpsState",
    "functionAppScaleLimit",
    "functionsRuntimeScaleMonitoringEnabled",
    "isReserved",
    "isXenon",
    "javaVersion",
    "linuxFxVersion",
    "netFrameworkVersion",
    "powerShellVersion",
    "preWarmedInstanceCount",
    "use32BitWorkerProcess",
    "windowsFxVersion",
)


def test_every_setting_of_the_code_is_deployed_or_left_to_choice() -> None:
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    ours = {name.removeprefix(PREFIX).lower() for name in WRITTEN if name.startswith(PREFIX)}
    assert ours <= fields
    assert fields - ours == CHOSEN, "Write it in main.bicep, or let whoever deploys choose it."


def test_nothing_is_written_that_flex_consumption_refuses() -> None:
    assert [name for name in WRITTEN if REFUSED.fullmatch(name)] == []
    assert [name for name in SITE_REFUSED if re.search(rf"\b{name}:", code(APP), re.IGNORECASE)] == []


@pytest.mark.parametrize("door", ["blob", "queue", "table"])
def test_the_engine_reaches_blobs_queues_and_tables_by_identity(door: str) -> None:
    assert {f"AzureWebJobsStorage__{door}ServiceUri", "AzureWebJobsStorage__credential"} <= WRITTEN
    assert f"primaryEndpoints.{door}" in code(APP)


def test_the_engine_stays_awake_and_polls_often_enough() -> None:
    """On Azure Storage, Flex Consumption wakes no run that waits: it takes an instance that is always ready."""
    engine = HOST["extensions"]["durableTask"]
    assert re.search(r"param alwaysReady int = [1-9]", code(MAIN))
    assert "name: 'durable'" in code(APP)
    hours, minutes, seconds = map(int, engine["storageProvider"]["maxQueuePollingInterval"].split(":"))
    assert timedelta(hours=hours, minutes=minutes, seconds=seconds) <= timedelta(seconds=10)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", engine["hubName"])


def test_the_scheduler_is_chosen_by_settings_that_host_json_has_places_for() -> None:
    paths = [name.split("__")[1:] for name in WRITTEN if name.startswith("AzureFunctionsJobHost__")]
    assert len(paths) == 3
    for extensions, engine, *rest in paths:
        assert (extensions, engine) == ("extensions", "durableTask")
        assert rest[0] in HOST["extensions"]["durableTask"]


def test_runs_may_take_as_long_as_a_host_lets_them() -> None:
    assert HOST["functionTimeout"] == "00:30:00"
    assert HOST["version"] == "2.0"
    assert HOST["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"


def test_the_logic_app_calls_where_the_function_is() -> None:
    prefix = HOST.get("extensions", {}).get("http", {}).get("routePrefix", "api")
    assert f"${{app.outputs.url}}/{prefix}/alerts" in code(MAIN)


def test_sign_in_stands_before_every_function_but_event_grids() -> None:
    from function_app import app

    text = code(APP)
    assert re.search(r"excludedPaths: \[\s+'/runtime/webhooks/eventgrid'\s+\]", text)
    assert "unauthenticatedClientAction: 'Return401'" in text
    app.functions_bindings = {}  # read once more, in this process
    triggers = {f.get_function_name(): f.get_trigger() for f in app.get_functions()}
    levels = {t.get_dict_repr()["authLevel"] for t in triggers.values() if t and t.type == "httpTrigger"}
    assert levels == {func.AuthLevel.ANONYMOUS}  # with any other, the Logic App's token would not do
    on_event = triggers["on_event"]
    assert on_event
    assert on_event.type == "eventGridTrigger"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_settings_of_each_cloud_are_such_as_the_code_takes(cloud: str) -> None:
    there = CLOUDS[cloud]
    group = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg"
    values = dict.fromkeys((name for name in WRITTEN if name.startswith(PREFIX)), "") | {
        "COUNTERSIGN_SUBSCRIPTIONS": "11111111-2222-4333-8444-555555555555",
        "COUNTERSIGN_EVIDENCE": "https://stevabc.blob.core.windows.net/evidence",
        "COUNTERSIGN_EVIDENCE_GROUP": group,
        "COUNTERSIGN_VAULT": "https://kv-cs-abc.vault.azure.net",
        "COUNTERSIGN_ARM": there["arm"],
        "COUNTERSIGN_ARM_AUDIENCE": there["arm"],
        "COUNTERSIGN_GRAPH": there["graph"],
        "COUNTERSIGN_LOGS": there["logs"],
        "COUNTERSIGN_VAULT_AUDIENCE": there["vault"],
        "COUNTERSIGN_PROTECTED": f"{group},22222222-2222-4333-8444-555555555555",
    }
    settings = Settings.load(values)
    assert settings.graph == there["graph"]
    assert set(there) == set(CLOUDS["AzureCloud"])


def test_the_responder_never_touches_itself_or_its_evidence() -> None:
    protected = next(line for line in code(MAIN).splitlines() if "COUNTERSIGN_PROTECTED:" in line)
    assert all(part in protected for part in ("identities.outputs.principalIds", "group.id", "evidenceGroup.id"))
    identities = read(INFRA / "modules" / "identities.bicep")["resources"]
    listed = code(INFRA / "modules" / "identities.bicep").partition("output principalIds")[2]
    assert all(f"{name}.properties.principalId" in listed for name in identities)
