"""infra/consent.sh, run against the sandbox's Microsoft Graph. tests/infra/az.py stands in for the Azure CLI."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml

from sandbox.azure import Sandbox
from sandbox.azure.directory import APPLICATION, SERVICE_PRINCIPAL
from tests.infra.bicep import INFRA, ROOT
from tests.sandbox.estate import CHIEF, OPS, estate

SCRIPT = INFRA / "consent.sh"
REGISTRATION = json.loads((INFRA / "application.json").read_bytes())
GRAPH = json.loads((INFRA / "graph-permissions.json").read_bytes())
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
URL = "https://func-countersign-abc.azurewebsites.net"


class Told(NamedTuple):
    code: int
    out: str
    err: str


class Entra:
    """The sandbox's directory, with somebody who may consent, and the identities that main.bicep makes."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.directory = sandbox, sandbox.world.directory
        program = folder / "az"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("az.py")}" "$@"\n')
        program.chmod(0o755)
        names = [
            {"name": name, "appId": f"{n}" * 8 + "-0000-4000-8000-000000000000", "kind": "managed_identity"}
            for n, name in enumerate(("responder", "sender", "sign-in"), 1)
        ]
        sandbox.world.load({"service_principals": names}, sandbox.clock.now())
        self.responder, self.sender, self.sign_in = (self.directory.find(str(n["appId"]))["id"] for n in names)  # type: ignore[index]
        self.environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "CLOUD": "AzureUSGovernment",
            "GRAPH": sandbox.endpoints.graph,
            "TOKEN": sandbox.token(CHIEF, "graph"),
            "CA": str(sandbox.ca_file),
            "COUNTERSIGN_URL": URL,
            "COUNTERSIGN_PRINCIPAL_ID": self.responder,
            "COUNTERSIGN_SENDER_PRINCIPAL_ID": self.sender,
            "COUNTERSIGN_SIGN_IN_PRINCIPAL_ID": self.sign_in,
        }

    async def run(self, *words: str) -> Told:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            str(SCRIPT),
            *words,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Told(process.returncode or 0, out.decode().strip(), err.decode().strip())

    def applications(self) -> list[dict[str, Any]]:
        return [a for a in self.directory.of_type(APPLICATION) if a["displayName"].startswith("Countersign")]

    def held(self, principal: str) -> list[tuple[str, str]]:
        """The app roles of somebody: of which application, and which."""
        named = {s["id"]: s["appId"] for s in self.directory.of_type(SERVICE_PRINCIPAL)}
        grants = [g for g in self.directory.app_roles.values() if g["principalId"] == principal]
        return sorted((named[g["resourceId"]], g["appRoleId"]) for g in grants)


@pytest_asyncio.fixture
async def entra(tmp_path: Path) -> AsyncIterator[Entra]:
    if not shutil.which("jq"):
        pytest.skip("jq is not here.")
    async with estate() as sandbox:
        yield Entra(sandbox, tmp_path)


async def test_the_application_is_made_once_and_needs_no_secret(entra: Entra) -> None:
    first, second = await entra.run("register", "prod"), await entra.run("register", "prod")
    assert (first.code, first.err) == (0, "")
    assert first.out == second.out
    [made] = entra.applications()
    assert made["appId"] == first.out
    assert made["uniqueName"] == "countersign-prod"
    assert {role["value"] for role in made["appRoles"]} == {"Approver", "Owner", "Reader", "Sender"}
    assert not made.get("passwordCredentials")
    principal = entra.directory.find(first.out)
    assert principal
    assert principal["appRoleAssignmentRequired"]


async def test_each_identity_gets_what_it_is_for_and_nothing_twice(entra: Entra) -> None:
    client = (await entra.run("register", "prod")).out
    for _ in range(2):
        told = await entra.run("grant", "prod")
        assert (told.code, told.err) == (0, "")
        every = {entry["id"] for entries in GRAPH.values() for entry in entries}
        assert entra.held(entra.responder) == sorted((GRAPH_APP, id_) for id_ in every)
        assert entra.held(entra.sender) == [(client, REGISTRATION["sender"])]
        assert entra.held(entra.sign_in) == []
        [made] = entra.applications()
        assert made["web"]["redirectUris"] == [f"{URL}/.auth/login/aad/callback"]
        [proof] = entra.directory.federated[made["id"]]
        assert proof["subject"] == entra.sign_in
        assert proof["audiences"] == ["api://AzureADTokenExchangeUSGov"]


async def test_only_the_groups_that_are_named_are_consented_to(entra: Entra) -> None:
    await entra.run("register", "prod")
    await entra.run("grant", "prod", "reader")
    assert entra.held(entra.responder) == sorted((GRAPH_APP, entry["id"]) for entry in GRAPH["reader"])
    told = await entra.run("grant", "prod", "everything")
    assert told.code != 0
    assert "everything" in told.err
    await entra.run("grant", "prod")
    assert (await entra.run("revoke", "prod", "responder", "destroyer")).code == 0
    assert entra.held(entra.responder) == sorted((GRAPH_APP, entry["id"]) for entry in GRAPH["reader"])


async def test_a_group_is_given_a_role(entra: Entra) -> None:
    client = (await entra.run("register", "prod")).out
    entra.sandbox.world.load({"groups": [{"name": "approvers", "members": [OPS]}]}, entra.sandbox.clock.now())
    [group] = [o["id"] for o in entra.directory.objects.values() if o.get("displayName") == "approvers"]

    told = await entra.run("role", "prod", "Approver", group)

    assert (told.code, told.err) == (0, "")
    approver = next(role["id"] for role in REGISTRATION["appRoles"] if role["value"] == "Approver")
    assert entra.held(group) == [(client, approver)]


async def test_somebody_is_given_a_role(entra: Entra) -> None:
    client = (await entra.run("register", "prod")).out
    assert (await entra.run("role", "prod", "Approver", OPS)).code == 0
    who = entra.directory.find(OPS)
    assert who
    approver = next(role["id"] for role in REGISTRATION["appRoles"] if role["value"] == "Approver")
    assert (client, approver) in entra.held(who["id"])
    assert (await entra.run("role", "prod", "King", OPS)).code != 0


async def test_the_application_goes_and_another_deployments_stays(entra: Entra) -> None:
    await entra.run("register", "prod")
    other = (await entra.run("register", "dev")).out
    assert (await entra.run("remove", "prod")).code == 0
    assert [a["appId"] for a in entra.applications()] == [other]
    assert not [o for o in entra.directory.deleted.values() if o.get("uniqueName")]  # the name is free again
    assert (await entra.run("grant", "prod")).err.endswith("consent.sh register prod")


HOOKS = {name: hook["run"] for name, hook in yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))["hooks"].items()}


@pytest.mark.parametrize("script", [SCRIPT.read_text("utf-8"), *HOOKS.values()], ids=["consent.sh", *HOOKS])
def test_shellcheck_finds_nothing(script: str) -> None:
    program = Path(sys.executable).with_name("shellcheck")
    if not program.exists():
        pytest.skip("shellcheck is not here.")
    command = [str(program), "--shell", "sh", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("words", [(), ("grant",), ("register", "a b"), ("register", "a';x"), ("rm", "prod")])
def test_what_is_not_understood_does_nothing(words: tuple[str, ...]) -> None:
    done = subprocess.run(["/bin/sh", str(SCRIPT), *words], capture_output=True, text=True, check=False, env={})  # noqa: S603
    assert done.returncode in {1, 2}
    assert done.stdout == ""
