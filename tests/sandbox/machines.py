"""One virtual machine, "web", for the tests of Compute."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandbox.azure import Sandbox, guest, guest_jail, guest_login
from tests.sandbox.estate import GROUP, OPS, compute, estate

VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web"
AT = ("app", "web")
PASSWORD = "First-secret-1!"


def model(**os_disk: Any) -> dict[str, Any]:
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"imageReference": image, "osDisk": {"createOption": "FromImage", **os_disk}},
        "osProfile": {"computerName": "web", "adminUsername": "azureuser", "adminPassword": PASSWORD},
    }
    return {"location": "westeurope", "tags": {"owner": OPS}, "properties": properties}


@asynccontextmanager
async def opened(who: str = OPS, body: dict[str, Any] | None = None) -> AsyncIterator[tuple[Sandbox, Any]]:
    """With the machine "web", running."""
    async with estate() as azure, compute(azure, OPS) as owner, compute(azure, who) as client:
        await (await owner.virtual_machines.begin_create_or_update(*AT, body or model())).result()
        yield azure, client


async def power(client: Any) -> str:
    view = await client.virtual_machines.instance_view(*AT)
    return next((s.code or "" for s in view.statuses or () if (s.code or "").startswith("PowerState/")), "")


def inside(azure: Sandbox) -> dict[str, Any]:
    found = azure.world.get(VM)
    assert found
    return dict(found.body["sandbox"])


def guest_of(azure: Sandbox) -> dict[str, Any]:
    found = azure.world.get(VM)
    assert found
    return guest.of(azure.world, found)


def files_of(azure: Sandbox) -> dict[str, Any]:
    return dict(guest_of(azure)["files"])


def gets_in(azure: Sandbox, user: str, password: str = "", **more: Any) -> bool:
    """Whether somebody gets into the machine."""
    return guest_login.entry(azure.world, azure.clock, VM, user, password=password, **more).ok


async def bash(client: Any, *script: str) -> str:
    """What a run command says that runs a script as root. Skips the test where the sandbox can't run one."""
    if not guest_jail.available():
        pytest.skip("no user namespaces here")
    body = {"commandId": "RunShellScript", "script": list(script)}
    result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
    return str(result.value[0].message)


async def managed(client: Any, name: str = "job", **properties: Any) -> Any:
    """The instance view of a managed run command."""
    commands = client.virtual_machine_run_commands
    body = {"location": "westeurope", "properties": properties}
    await (await commands.begin_create_or_update(*AT, name, body)).result()
    return (await commands.get_by_virtual_machine(*AT, name, expand="instanceView")).instance_view


def os_disk(azure: Sandbox) -> dict[str, Any]:
    found = azure.world.get(VM)
    assert found
    return dict(found.properties["storageProfile"]["osDisk"])


def extension(kind: str = "VMAccessForLinux") -> dict[str, Any]:
    secret = {"username": "azureuser", "password": "Second-secret-2!"}
    properties = {"publisher": "Microsoft.OSTCExtensions", "type": kind, "typeHandlerVersion": "1.5"}
    return {"location": "westeurope", "properties": {**properties, "settings": {}, "protectedSettings": secret}}
