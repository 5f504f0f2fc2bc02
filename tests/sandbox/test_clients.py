"""The way in that `python -m sandbox serve` makes for clients that are not ours."""

import asyncio
import json
import re
import shlex
import stat
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox import clients
from sandbox.azure.claims import CLI
from sandbox.azure.doorway import Doorway
from tests.sandbox.arm import NOBODY, NOW, OPS, STORE, S, arm
from tests.sandbox.estate import PASSWORD, Rest, browser, estate

AUTHORITY = "https://login.microsoftonline.com/organizations"


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


async def test_a_person_signs_in_by_a_password_as_with_msal() -> None:
    async with estate() as azure, Doorway(azure.endpoints) as doorway:
        script = (
            "import json, sys, msal\n"
            f"app = msal.PublicClientApplication({CLI!r}, authority={AUTHORITY!r})\n"
            f"got = app.acquire_token_by_username_password({OPS!r}, {PASSWORD!r}, [sys.argv[1]])\n"
            "who = [got['id_token_claims']['oid'], app.get_accounts()[0]['username']]\n"
            "print(json.dumps([*who, got['access_token']]))\n"
        )
        its = {"HTTPS_PROXY": doorway.url, "REQUESTS_CA_BUNDLE": azure.ca_file}
        scope = "https://management.azure.com/.default"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, scope, env=its, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        oid, name, token = json.loads(said)
        assert (oid, name) == ((azure.world.directory.find(OPS) or {})["id"], OPS)
        async with browser(azure) as session:
            listed = "/subscriptions?api-version=2022-12-01"
            assert (await Rest(session, azure.endpoints.arm, token)("GET", listed))[0] == 200


async def test_what_tells_a_client_who_signed_in_refreshes_nothing() -> None:
    async with estate() as azure, browser(azure) as session:
        form = {"grant_type": "password", "username": OPS, "password": PASSWORD, "client_id": CLI}
        form["scope"] = "https://management.azure.com/.default openid"
        url = f"{azure.endpoints.login}/organizations/oauth2/v2.0/token"
        async with session.post(url, data=form) as answer:
            got = await answer.json()
        refresh = {"grant_type": "refresh_token", "refresh_token": got["id_token"], "client_id": CLI}
        async with session.post(url, data={**refresh, "scope": form["scope"]}) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")


async def test_an_accounts_containers_are_listed_by_its_own_host_name() -> None:
    async with arm() as call, Doorway(call.azure.endpoints) as doorway, browser(call.azure) as session:
        for name in ("logs", "<b>"):
            call.azure.world.put(f"{STORE}/blobServices/default/containers/{name}", {"properties": {}})
        blobs = Rest(session, "https://data.blob.core.windows.net", call.azure.token(OPS, "storage"), doorway.url)
        status, text = await blobs("GET", "/?comp=list")
        assert (status, re.findall("<Name>(.*?)</Name>", text)) == (200, ["&lt;b&gt;", "logs"])
        _, text = await blobs("GET", "/?comp=list&maxresults=1")
        assert "<NextMarker>logs</NextMarker>" in text
        assert (await blobs("GET", "/?comp=list&maxresults=x"))[0] == 400
        nobody = Rest(session, blobs.base, call.azure.token(NOBODY, "storage"), doorway.url)
        assert (await nobody("GET", "/?comp=list"))[0] == 403
