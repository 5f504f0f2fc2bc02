"""What commands, registered scripts and extensions do inside a Windows machine."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandbox.azure import Sandbox, guest, guest_powershell
from sandbox.azure.guest_powershell import Run, digest, equivalent
from sandbox.azure.guest_windows import set_password
from tests.sandbox.machines import AT, PASSWORD, VM, extension, gets_in, guest_of, managed, model, opened

SCRIPT = "param([string]$Name)\nSet-LocalUser -Name $Name -Password (Read-Secret)\n"


@asynccontextmanager
async def windows() -> AsyncIterator[tuple[Sandbox, Any]]:
    body = model(osType="Windows")
    image = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
    body["properties"]["storageProfile"]["imageReference"] = {**image, "version": "latest"}
    body["properties"]["osProfile"]["windowsConfiguration"] = {"provisionVMAgent": True}
    async with opened(body=body) as (azure, client):
        yield azure, client


async def powershell(client: Any, *script: str) -> tuple[str, str]:
    body = {"commandId": "RunPowerShellScript", "script": list(script)}
    result = await (await client.virtual_machines.begin_run_command(*AT, body)).result()
    assert [v.code for v in result.value] == [
        "ComponentStatus/StdOut/succeeded",
        "ComponentStatus/StdErr/succeeded",
    ]
    return str(result.value[0].message), str(result.value[1].message)


@pytest.fixture
def registered() -> Iterator[None]:
    @equivalent(digest(SCRIPT), "set_password.ps1")
    def _set(run: Run) -> str:
        set_password(run.guest, run.parameters["name"], run.parameters["secret"], run.seed)
        return json.dumps({"found": [threat["path"] for threat in run.scan()]})

    yield
    del guest_powershell.SCRIPTS[digest(SCRIPT)]


async def test_a_planted_administrator_gets_in_until_he_is_disabled_or_deleted() -> None:
    async with windows() as (azure, client):
        before = azure.world.snapshot()
        said, _ = await powershell(client, "net user eve Thief-1! /add", "net localgroup Administrators eve /add")
        assert said.count("The command completed successfully.") == 2
        assert gets_in(azure, "EVE", "Thief-1!", by="rdp")
        assert "Thief-1" not in json.dumps(guest_of(azure))
        await powershell(client, "Disable-LocalUser eve")
        assert not gets_in(azure, "eve", "Thief-1!", by="rdp")
        await powershell(client, "net user eve /delete")
        assert azure.world.snapshot() == before


async def test_tasks_services_registry_files_and_exclusions_are_planted_by_command() -> None:
    run = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run"
    async with windows() as (azure, client):
        await powershell(
            client,
            r'schtasks /create /tn Updater /tr "C:\x.exe -q" /sc minute /ru SYSTEM',
            r"sc create Beacon binPath= C:\beacon.exe start= auto",
            rf"reg add {run} /v Beacon /d C:\beacon.exe /f",
            r"Set-Content -Path C:\beacon.exe -Value COUNTERSIGN-SANDBOX-MALWARE",
            r"Add-MpPreference -ExclusionPath C:\hidden",
            "Set-MpPreference -DisableRealtimeMonitoring $true",
        )
        inside = guest_of(azure)
        assert inside["tasks"] == {"Updater": {"command": r"C:\x.exe -q", "user": "SYSTEM"}}
        assert inside["services"]["Beacon"]["path"] == r"C:\beacon.exe"
        assert inside["registry"] == {
            r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Run": {"Beacon": r"C:\beacon.exe"}
        }
        assert (inside["exclusions"]["paths"], inside["realtime"]) == ([r"C:\hidden"], False)
        assert guest.malware(inside) == (r"C:\beacon.exe",)


async def test_what_is_not_modelled_fails_and_says_so() -> None:
    async with windows() as (azure, client):
        before = azure.world.snapshot()
        _, error = await powershell(client, "Invoke-Mimikatz")
        assert error == "The sandbox does not model this in Windows: Invoke-Mimikatz"
        view = await managed(client, source={"script": "Invoke-Mimikatz"})
        assert (view.execution_state, view.exit_code) == ("Failed", 127)
        await (await client.virtual_machine_run_commands.begin_delete(*AT, "job")).result()
        assert await client.virtual_machines.instance_view(*AT)
        assert azure.world.snapshot() == before


@pytest.mark.usefixtures("registered")
async def test_a_script_of_the_responders_is_known_by_its_exact_text() -> None:
    async with windows() as (azure, client):
        await powershell(
            client,
            r"Set-Content C:\a.exe EICAR-STANDARD-ANTIVIRUS-TEST-FILE",
            r"Set-Content C:\hidden\b.exe EICAR-STANDARD-ANTIVIRUS-TEST-FILE",
            r"Add-MpPreference -ExclusionPath C:\hidden",
        )
        given: dict[str, Any] = {"parameters": [{"name": "name", "value": "azureuser"}]}
        given["protectedParameters"] = [{"name": "secret", "value": "Brand-new-9"}]
        view = await managed(client, source={"script": SCRIPT}, **given)
        assert (view.execution_state, json.loads(view.output)) == ("Succeeded", {"found": [r"C:\a.exe"]})
        assert gets_in(azure, "azureuser", "Brand-new-9", by="rdp")
        assert "Brand-new-9" not in json.dumps(azure.world.dump())
        view = await managed(client, "job", source={"script": SCRIPT + "# changed"}, **given)
        assert view.exit_code == 127


async def test_the_access_agent_makes_an_administrator() -> None:
    async with windows() as (azure, client):
        body = extension("VMAccessAgent")
        body["properties"] |= {"publisher": "Microsoft.Compute", "settings": {"UserName": "eve"}}
        body["properties"]["protectedSettings"] = {"Password": "Thief-1!"}
        extensions = client.virtual_machine_extensions
        await (await extensions.begin_create_or_update(*AT, "enablevmaccess", body)).result()
        assert gets_in(azure, "eve", "Thief-1!", by="rdp")
        assert gets_in(azure, "azureuser", PASSWORD, by="rdp")


async def test_a_key_for_administrators_lets_in_by_ssh() -> None:
    key = "ssh-ed25519 AAAAC3thief mallory"
    async with windows() as (azure, _):
        guest.declare(
            azure.world, {"id": VM, "users": [{"name": "azureuser", "keys": [key]}], "domain": "corp.example"}
        )
        assert gets_in(azure, "azureuser", key=key)
        assert guest_of(azure)["domain"] == "corp.example"
