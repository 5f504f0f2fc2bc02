"""The way in that `python -m sandbox serve` makes for clients that are not ours."""

import asyncio
import json
import shlex
import stat
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox import clients
from sandbox.azure.doorway import Doorway
from tests.sandbox.arm import NOW, OPS, S, arm
from tests.sandbox.estate import Rest, browser, estate


async def test_a_client_of_its_own_signs_in_by_what_is_written_down_and_may_do_everything(tmp_path: Path) -> None:
    async with arm() as call, Doorway(call.azure.endpoints) as doorway:
        path = clients.admit(call.azure, S.rpartition("/")[2], NOW, tmp_path, doorway.url)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert str(path) in clients.told(path)
        # What a shell makes of the file, and an SDK of the shell's environment: it knows Azure's host names alone.
        script = (
            "import json\n"
            "from azure.identity import EnvironmentCredential\n"
            "its = EnvironmentCredential()\n"
            "names = ('https://management.azure.com', 'https://graph.microsoft.com')\n"
            "print(json.dumps([its.get_token(f'{name}/.default').token for name in names]))\n"
        )
        command = f". {shlex.quote(str(path))}; exec {shlex.quote(sys.executable)} -c {shlex.quote(script)}"
        process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        resource_manager, graph = json.loads(said)
        assert (await call("DELETE", f"{S}/resourceGroups/app", token=resource_manager)).status == 202
        url = f"{call.azure.endpoints.graph}/v1.0/users/{call.oid(OPS)}"
        assert (await call("DELETE", url, token=graph)).status == 204


async def test_azures_own_host_names_lead_to_the_sandbox_and_no_other_name_anywhere() -> None:
    async with estate() as azure, Doorway(azure.endpoints) as doorway, browser(azure) as session:
        rest = Rest(session, "https://management.azure.com", azure.token(OPS, "arm"), proxy=doorway.url)
        assert (await rest("GET", "/subscriptions?api-version=2022-12-01"))[0] == 200
        for name in ("example.com", "127.0.0.1", "vault.azure.net", "a.b.vault.azure.net", "evil.management.azure.com"):
            with pytest.raises(aiohttp.ClientHttpProxyError):
                await Rest(session, f"https://{name}", "", proxy=doorway.url)("GET", "/")


async def test_a_vault_by_its_own_host_name_is_azures() -> None:
    async with estate() as azure, Doorway(azure.endpoints) as doorway, browser(azure) as session:
        vault = Rest(session, "https://keep.vault.azure.net", azure.token(OPS, "vault"), proxy=doorway.url)
        _, made = await vault("PUT", "/secrets/s?api-version=7.5", {"value": "one"})
        assert made["id"].startswith("https://keep.vault.azure.net/secrets/s/")
        assert (await vault("GET", "/secrets/s?api-version=7.5"))[1]["value"] == "one"
        _, listed = await vault("GET", "/secrets?api-version=7.5&maxresults=1")
        assert [one["id"] for one in listed["value"]] == ["https://keep.vault.azure.net/secrets/s"]
        _, changed = await vault("PATCH", "/secrets/s?api-version=7.5", {"attributes": {"enabled": False}})
        assert not changed["attributes"]["enabled"]
        await vault("DELETE", "/secrets/s?api-version=7.5")
        _, gone = await vault("GET", "/deletedsecrets?api-version=7.5")
        assert [one["recoveryId"] for one in gone["value"]] == ["https://keep.vault.azure.net/deletedsecrets/s"]
