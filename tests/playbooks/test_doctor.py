"""The doctor on a sandbox deployment: it finds what is broken, alone, and names the way to put it right."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import connector
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport

from playbooks import doctor
from playbooks.doctor.check import Deployment, Result
from playbooks.doctor.rights import allows, covers
from responders.azure import Azure
from responders.services import Services
from responders.settings import Settings
from sandbox import deployed
from sandbox.azure import Clock, Sandbox, blobs
from sandbox.azure.well_known import made_up_id
from sandbox.functions.host import Host
from sandbox.scene import Scene, load
from sandbox.stage import GROUP, HOME, VAULT, build, environment, identity
from tests.api.responder import PROD, TAKEOVER

Json = dict[str, Any]
DORA, GLASS = "dora@contoso.example", "glass@contoso.example"
SUBSCRIPTION = PROD.rpartition("/")[2]
PLAN = f"{PROD}/providers/Microsoft.Security/pricings/Arm"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
WORKSPACE = "6c1d0f5e-3a92-4b7d-8e41-90c2b5d7a3f1"


class Signed:
    """Somebody who has signed in at a terminal."""

    def __init__(self, sandbox: Sandbox, who: str) -> None:
        self._sandbox, self._who = sandbox, who

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        audience = self._sandbox.tokens.audience(scopes[0])
        assert audience
        return AccessToken(self._sandbox.token(self._who, audience), 4102444800)

    async def close(self) -> None: ...


class Patient:
    """A deployment, and what is done to it."""

    def __init__(self, scene: Scene, sandbox: Sandbox, settings: dict[str, str]) -> None:
        self.scene, self.sandbox, self.settings = scene, sandbox, settings

    def change(self, id_: str, **properties: object) -> None:
        """Change properties of a resource."""
        world = self.sandbox.world
        found = world.get(id_)
        assert found, id_
        world.put(id_, {**found.body, "properties": {**found.properties, **properties}})

    def delete(self, id_: str) -> None:
        self.sandbox.world.delete(id_)

    def without(self, name: str, right: str) -> None:
        """Take a right out of one of the responder's roles."""
        [role] = [r for r in self.sandbox.world if r.properties.get("roleName") == name]
        [before] = role.properties["permissions"]
        taken = {kind: [a for a in before.get(kind) or () if a != right] for kind in ("actions", "dataActions")}
        assert taken != {kind: before.get(kind) or [] for kind in taken}
        self.change(role.id, permissions=[{**before, **taken}])

    async def examined(
        self, *, by: str = DORA, whose: str | None = None, group: str = GROUP, left_out: tuple[str, ...] = ()
    ) -> list[Result]:
        settings = Settings.load(self.settings)
        its = Services(settings)
        transport = AioHttpTransport(connection_verify=self.sandbox.ca_file)
        its.__dict__["azure"] = Azure(settings, Signed(self.sandbox, by), transport)  # type: ignore[arg-type]
        try:
            me = identity(self.scene) if whose is None else whose
            return await doctor.examine(Deployment(its, me, group, left_out))
        finally:
            await its.close()
            await transport.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A function app that lets nobody in without a sign-in."""
    app = Path(__file__).parents[2]
    async with Host(app, tmp_path_factory.mktemp("doctor") / "host.db", verify_token=lambda _: None) as host:
        yield host.url


@pytest_asyncio.fixture(loop_scope="module")
async def patient(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Patient]:
    """A deployment in which nothing is broken."""
    scene = load(TAKEOVER)
    async with Sandbox(build(scene), clock=Clock()) as sandbox:
        monkeypatch.setenv("SSL_CERT_FILE", sandbox.ca_file)
        # aiohttp has read whom to trust when it was imported.
        monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=sandbox.ca_file))
        people = [
            {"upn": DORA, "directory_roles": ["Global Reader"]},
            {"upn": GLASS, "directory_roles": ["Global Administrator"]},
        ]
        reads = [{"scope": scope, "role": "Owner", "principal": DORA} for scope in (PROD, HOME)]
        reads += [{"scope": HOME, "role": "Storage Blob Data Contributor", "principal": DORA}]
        sandbox.world.load({"users": people}, scene.now)
        sandbox.world.load({"role_assignments": reads}, scene.now)
        settings = {
            **environment(scene, sandbox, tmp_path),
            **deployed.deploy(sandbox, scene, url),
            "COUNTERSIGN_PROTECTED": GLASS,
            "COUNTERSIGN_MAIL_FROM": "soc@contoso.example",
        }
        yield Patient(scene, sandbox, settings)


def states(found: list[Result]) -> dict[str, set[str]]:
    return {state: {one.check for one in found if one.state == state} for state in ("broken", "can't tell")}


@pytest.mark.asyncio(loop_scope="module")
async def test_of_a_whole_deployment_all_is_well(patient: Patient) -> None:
    found = await patient.examined()

    assert [one for one in found if one.state != "ok"] == []
    assert {one.check for one in found} == {f"{c.__module__.rpartition('.')[2]}.{c.__name__}" for c in doctor.CHECKS}


def _dead_letter(patient: Patient) -> None:
    blobs.kept(patient.sandbox.world, deployed.DEAD_LETTERS)["EVGT/1.json"] = {
        "data": "e30=",
        "at": "Wed, 04 Mar 2026 10:41:30 GMT",
    }


def _no_consent(patient: Patient) -> None:
    directory = patient.sandbox.world.directory
    me = identity(patient.scene)
    graph = next(o for o in directory.objects.values() if o.get("displayName") == "Microsoft Graph")
    role = next(r["id"] for r in graph["appRoles"] if r["value"] == "User.RevokeSessions.All")
    [key] = [k for k, g in directory.app_roles.items() if g["principalId"] == me and g["appRoleId"] == role]
    del directory.app_roles[key]


def _unassigned(role: str, *keep: str) -> Callable[[Patient], None]:
    """Take an app role of Countersign from all but those who keep it."""

    def take(patient: Patient) -> None:
        directory, id_ = patient.sandbox.world.directory, made_up_id("app role", role)
        kept = {entry["id"] for who in keep if (entry := directory.anyone(who))}
        for key in [
            k for k, a in directory.app_roles.items() if a["appRoleId"] == id_ and a["principalId"] not in kept
        ]:
            del directory.app_roles[key]

    return take


def _application(patient: Patient) -> Json:
    found = patient.sandbox.world.directory.application(made_up_id("app", "Countersign"))
    assert found
    return found


def _no_role(scope: str, role: str) -> Callable[[Patient], None]:
    """Take a built-in role from the responder."""

    def take(patient: Patient) -> None:
        world, me = patient.sandbox.world, identity(patient.scene)
        [held] = [
            r
            for r in world
            if r.id.lower().startswith(f"{scope.lower()}/providers/microsoft.authorization/roleassignments/")
            and r.properties["principalId"] == me
            and r.properties["roleDefinitionId"].endswith(_ROLES[role])
        ]
        world.delete(held.id)

    return take


def _failed_run(patient: Patient) -> None:
    run = {"status": "Failed", "startTime": "2026-03-04T10:41:30Z", "error": {"message": "Unauthorized."}}
    body = {"id": f"{deployed.LOGIC_APP}/runs/08585", "properties": run}
    patient.sandbox.world.load({"resources": [body]}, patient.scene.now)


def _missed_heartbeat(patient: Patient) -> None:
    heard = {"at": "2026-03-04T10:41:30Z", "arrived": [], "missed": ["None of 3 came to its end here."]}
    kept = blobs.kept(patient.sandbox.world, deployed.EVIDENCE)
    data = base64.b64encode(json.dumps(heard).encode()).decode()
    kept["heartbeats/2026-03-04-heard.json"] = {"data": data, "at": "Wed, 04 Mar 2026 10:41:30 GMT"}
    patient.settings["COUNTERSIGN_HEARTBEAT"] = "centralus"


def _of_another_tenant(patient: Patient) -> None:
    found = patient.sandbox.world.get(PROD)
    assert found
    patient.sandbox.world.put(PROD, {**found.body, "tenantId": WORKSPACE})


def _disabled(who: str) -> Callable[[Patient], None]:
    def disable(patient: Patient) -> None:
        directory = patient.sandbox.world.directory
        entry = directory.anyone(who) if "@" in who else directory.objects[identity(patient.scene)]
        assert entry
        entry["accountEnabled"] = False

    return disable


def _setting(name: str, value: str) -> Callable[[Patient], None]:
    return lambda patient: patient.settings.update({f"COUNTERSIGN_{name}": value})


def _empty_workspace(patient: Patient) -> None:
    id_ = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log"
    body = {"id": id_, "location": "westeurope", "properties": {"customerId": WORKSPACE}}
    patient.sandbox.world.load({"resources": [body]}, patient.scene.now)
    patient.settings["COUNTERSIGN_WORKSPACE"] = WORKSPACE


SIGNING_IN = {f"signing_in.{name}" for name in ("sign_in", "application", "sender", "approvers")}
AUTOMATION = deployed.automation(SUBSCRIPTION)
ELSEWHERE = {"actions": {"responder": {"type": "Http", "inputs": {"uri": "https://elsewhere.example/api/alerts"}}}}

_ROLES = {
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
}
# What is broken with it.
ALSO = {
    "nobody is at the address": {"defending.automation", "signing_in.application"},
    "the vault is shut to the app": {"hosting.secrets"},
    "there is no function app": {"hosting.secrets", "hosting.network", "rights.engine_rights", *SIGNING_IN},
    "sign-in is gone": SIGNING_IN - {"signing_in.sign_in"},
}

BROKEN: dict[str, tuple[Callable[[Patient], object], str, str]] = {
    "the plan is off": (
        lambda p: p.sandbox.world.put(PLAN, {"properties": {"pricingTier": "Free"}}),
        "defending.plan",
        "az security pricing create --name Arm --tier standard",
    ),
    "the automation is gone": (lambda p: p.delete(AUTOMATION), "defending.automation", "infra/protect.bicep"),
    "the automation is disabled": (
        lambda p: p.change(AUTOMATION, isEnabled=False),
        "defending.automation",
        "az rest --method PATCH --url 'https://127.0.0.1:",
    ),
    "the Logic App is disabled": (
        lambda p: p.change(deployed.LOGIC_APP, state="Disabled"),
        "defending.automation",
        f"{deployed.LOGIC_APP}/enable",
    ),
    "the Logic App calls somebody else": (
        lambda p: p.change(deployed.LOGIC_APP, definition=ELSEWHERE),
        "defending.automation",
        "infra/main.bicep",
    ),
    "the Logic App is gone": (lambda p: p.delete(deployed.LOGIC_APP), "defending.automation", "infra/main.bicep"),
    "a right is missing": (
        lambda p: p.without("Countersign Responder (id-countersign)", "Microsoft.Authorization/roleAssignments/delete"),
        "rights.azure_rights",
        "infra/protect.bicep",
    ),
    "secrets can't be written": (
        lambda p: p.without(
            "Countersign Secrets (id-countersign)", "Microsoft.KeyVault/vaults/secrets/setSecret/action"
        ),
        "rights.vault_rights",
        "infra/main.bicep",
    ),
    "evidence can't be written": (
        lambda p: p.without("Countersign Evidence (id-countersign)", f"{BLOBS}/write"),
        "rights.evidence_rights",
        "infra/main.bicep",
    ),
    "evidence of disks can't be made": (
        lambda p: p.without("Countersign Evidence (id-countersign)", "Microsoft.Compute/snapshots/write"),
        "rights.evidence_group_rights",
        "infra/main.bicep",
    ),
    "a consent is missing": (_no_consent, "rights.graph_consents", "appRoleAssignments --body"),
    "the delivery has failed": (
        lambda p: p.change(deployed.DELIVERY, provisioningState="Failed"),
        "delivery.event_grid",
        "infra/eventgrid.bicep",
    ),
    "the topic has no delivery": (
        lambda p: p.delete(deployed.DELIVERY),
        "delivery.event_grid",
        "infra/eventgrid.bicep",
    ),
    "there is a dead letter": (_dead_letter, "delivery.dead_letters", "python -m playbooks run"),
    "evidence can be altered": (
        lambda p: p.delete(deployed.POLICY),
        "keeping.immutability",
        "az storage container immutability-policy create",
    ),
    "the vault does not answer": (
        _setting("VAULT", "https://127.0.0.1:1/kv-countersign"),
        "keeping.vault",
        "COUNTERSIGN_VAULT",
    ),
    "no log is streamed": (_empty_workspace, "keeping.workspace", "workspaceId"),
    "nobody is at the address": (_setting("URL", "http://127.0.0.1:1"), "delivery.url", "COUNTERSIGN_URL"),
    "the function app is stopped": (
        lambda p: p.change(deployed.SITE, state="Stopped"),
        "hosting.app",
        "az functionapp start",
    ),
    "there is no function app": (lambda p: p.delete(deployed.SITE), "hosting.app", "infra/main.bicep"),
    "a secret can't be read": (_no_role(deployed.LINK_KEY, "Key Vault Secrets User"), "hosting.secrets", "/refresh"),
    "the vault is shut to the app": (
        lambda p: p.change(VAULT, networkAcls={"defaultAction": "Deny"}),
        "hosting.network",
        "privateNetwork=true",
    ),
    "storage is shut to the app": (
        lambda p: p.change(deployed.STORAGE, publicNetworkAccess="Disabled"),
        "hosting.network",
        "privateNetwork=true",
    ),
    "the host may not use its queues": (
        _no_role(deployed.STORAGE, "Storage Queue Data Contributor"),
        "rights.engine_rights",
        "infra/main.bicep",
    ),
    "sign-in lets everybody in": (
        lambda p: p.change(deployed.SIGN_IN, globalValidation={"requireAuthentication": False}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "sign-in is gone": (
        lambda p: p.change(deployed.SIGN_IN, platform={"enabled": False}, identityProviders={}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "sign-in stands before Event Grid": (
        lambda p: p.change(deployed.SIGN_IN, globalValidation={"requireAuthentication": True}),
        "signing_in.sign_in",
        "infra/main.bicep",
    ),
    "the application is gone": (
        lambda p: p.sandbox.world.directory.objects.pop(_application(p)["id"]),
        "signing_in.application",
        "consent.sh register",
    ),
    "the application leads people elsewhere": (
        lambda p: _application(p)["web"].update(redirectUris=[]),
        "signing_in.application",
        "consent.sh grant",
    ),
    "the application does not trust the app": (
        lambda p: p.sandbox.world.directory.federated.clear(),
        "signing_in.application",
        "consent.sh grant",
    ),
    "the Logic App may not hand over": (_unassigned("Sender"), "signing_in.sender", "consent.sh grant"),
    "nobody may countersign": (_unassigned("Approver"), "signing_in.approvers", "consent.sh role NAME Approver"),
    "one may countersign": (
        _unassigned("Approver", "bob@contoso.example"),
        "signing_in.approvers",
        "consent.sh role NAME Approver",
    ),
    "who is told may not countersign": (
        _unassigned("Approver", "bob@contoso.example", "carol@contoso.example"),
        "signing_in.approvers",
        "consent.sh role NAME Approver",
    ),
    "the Logic App's last run failed": (_failed_run, "delivery.logic_app", "python -m playbooks run"),
    "the heartbeat was missed": (_missed_heartbeat, "delivery.heartbeat", "python -m playbooks smoke"),
    "a subscription is another tenant's": (_of_another_tenant, "identity.tenant", "subscriptions"),
    "there is no such mailbox": (_setting("MAIL_FROM", "nobody@contoso.example"), "people.told", "mailFrom"),
    "there is one approver": (_setting("APPROVERS", "bob@contoso.example"), "people.approvers", "with approvers"),
    "an approver is disabled": (_disabled("bob@contoso.example"), "people.approvers", "consent.sh role"),
    "nobody is called that": (
        _setting("PROTECTED", f"{GLASS},nobody@contoso.example"),
        "people.protected",
        "protectedIds",
    ),
    "no break-glass account is protected": (_setting("PROTECTED", ""), "people.break_glass", "protectedIds"),
    "a gate can't be": (_setting("GATES", "users.reset_password=auto"), "people.gates", "python -m playbooks list"),
    "nobody is told": (_setting("MAIL_FROM", ""), "people.told", "mailFrom"),
    "the identity is disabled": (_disabled("identity"), "identity.signs_in", "az ad sp update"),
    "the clock is wrong": (
        lambda p: p.sandbox.clock.set(p.sandbox.clock.now() + timedelta(hours=1)),
        "identity.clock",
        "timedatectl",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_broken_is_found_with_its_fix(patient: Patient, what: str) -> None:
    do, check, fix = BROKEN[what]
    do(patient)

    found = [one for one in await patient.examined() if one.state != "ok"]

    assert {one.check for one in found} - {check} == ALSO.get(what, set())
    [one] = [one for one in found if one.check == check]
    assert (one.state, one.check) == ("broken", check), one.why
    assert fix in one.fix


@pytest.mark.asyncio(loop_scope="module")
async def test_an_evidence_store_that_is_gone_is_found(patient: Patient) -> None:
    patient.delete(deployed.EVIDENCE)

    found = states(await patient.examined())

    assert found == {"broken": {"keeping.evidence", "keeping.immutability"}, "can't tell": set()}


@pytest.mark.asyncio(loop_scope="module")
async def test_members_of_a_group_may_countersign_and_those_of_groups_in_it_may_not(patient: Patient) -> None:
    """As in Entra ID: an app role given to a group is for its own members."""
    world = patient.sandbox.world
    _unassigned("Approver")(patient)
    patient.settings["COUNTERSIGN_APPROVERS"] = "alice@contoso.example,bob@contoso.example,carol@contoso.example"
    world.load({"groups": [{"name": "within", "members": ["carol@contoso.example"]}]}, patient.scene.now)
    people = ["alice@contoso.example", "bob@contoso.example", "within"]
    world.load({"groups": [{"name": "approvers", "members": people, "app_roles": ["Approver"]}]}, patient.scene.now)

    [found] = [one for one in await patient.examined() if one.check == "signing_in.approvers"]

    assert found.state == "broken", found.why
    assert found.why.startswith("carol@contoso.example of COUNTERSIGN_APPROVERS may not")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_shared_mailbox_sends_though_its_account_is_disabled(patient: Patient) -> None:
    _disabled("soc@contoso.example")(patient)

    assert states(await patient.examined())["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_closed_is_reached_by_an_app_in_a_network(patient: Patient) -> None:
    patient.change(VAULT, publicNetworkAccess="Disabled")
    patient.change(
        deployed.SITE, virtualNetworkSubnetId=f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/app"
    )

    assert states(await patient.examined())["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_left_out_on_purpose_is_not_missed(patient: Patient) -> None:
    for role in ("Destroyer", "Remover"):
        [held] = [
            r for r in patient.sandbox.world if r.properties.get("roleName") == f"Countersign {role} (id-countersign)"
        ]
        patient.change(held.id, permissions=[{"actions": []}])

    missed = states(await patient.examined())
    meant = states(await patient.examined(left_out=("destroyer", "remover")))

    assert missed["broken"] == {"rights.azure_rights"}
    assert meant["broken"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_responder_can_examine_itself(patient: Patient) -> None:
    me = identity(patient.scene)

    found = await patient.examined(by=me, whose="")

    assert states(found)["broken"] == set()
    assert {"rights.azure_rights", "rights.graph_consents"} & states(found)["can't tell"] == set()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_may_not_be_read_can_t_be_told(patient: Patient) -> None:
    found = await patient.examined(by="nora@contoso.example")

    unknown = {one.check: one for one in found if one.state == "can't tell"}
    assert {"defending.plan", "defending.automation", "rights.azure_rights", "keeping.evidence"} <= unknown.keys()
    assert "AuthorizationFailed" in unknown["defending.plan"].why
    assert "defending.plan" not in states(found)["broken"]


@pytest.mark.asyncio(loop_scope="module")
async def test_of_a_person_no_consents_can_be_told(patient: Patient) -> None:
    found = await patient.examined(whose="", group="")

    unknown = {one.check: one for one in found if one.state == "can't tell"}
    assert {"identity.signs_in", "rights.graph_consents", "delivery.event_grid"} <= unknown.keys()
    assert "--identity" in unknown["rights.graph_consents"].fix
    assert "--group" in unknown["delivery.event_grid"].fix


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_written(patient: Patient) -> None:
    before = patient.sandbox.world.snapshot()

    await patient.examined()

    assert patient.sandbox.world.snapshot() == before
    assert {r.method for r in patient.sandbox.requests if not r.path.endswith("/query")} <= {"GET", "POST"}


async def test_a_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COUNTERSIGN_SUBSCRIPTIONS", raising=False)

    assert await doctor.main("", "", as_json=True) == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["check"], found["state"]) == ("settings", "broken")
    assert "COUNTERSIGN_SUBSCRIPTIONS" in found["why"]


@pytest.mark.parametrize(
    ("permissions", "right", "allowed"),
    [
        ([{"actions": ["*"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["*/read"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["microsoft.compute/disks/READ"]}], "Microsoft.Compute/disks/read", True),
        ([{"actions": ["Microsoft.Compute/*"]}], "Microsoft.ComputeX/disks/read", False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}], "Microsoft.Compute/disks/read", False),
        (
            [{"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}, {"actions": ["Microsoft.Compute/disks/read"]}],
            "Microsoft.Compute/disks/read",
            True,
        ),
        ([{"actions": ["Microsoft.Security/*"]}], "Microsoft.Security/locations/alerts/*", True),
        ([{"actions": ["Microsoft.Security/locations/alerts/read"]}], "Microsoft.Security/locations/alerts/*", False),
        (
            [{"actions": ["*"], "notActions": ["Microsoft.Security/locations/alerts/dismiss/action"]}],
            "Microsoft.Security/locations/alerts/*",
            False,
        ),
    ],
)
def test_wildcards_mean_what_azure_means(permissions: list[Json], right: str, allowed: bool) -> None:  # noqa: FBT001
    assert allows(permissions, right) is allowed


def test_a_dot_is_a_dot() -> None:
    assert not covers("Microsoft.Compute/disks/read", "MicrosoftxCompute/disks/read")
