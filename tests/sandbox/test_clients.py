"""The way in that `python -m sandbox serve` makes for clients that are not ours."""

import asyncio
import json
import shlex
import stat
import sys
from pathlib import Path

from sandbox import clients
from tests.sandbox.arm import NOW, OPS, S, arm


async def test_a_client_of_its_own_signs_in_by_what_is_written_down_and_may_do_everything(tmp_path: Path) -> None:
    async with arm() as call:
        path = clients.admit(call.azure, S.rpartition("/")[2], NOW, tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert str(path) in clients.told(path)
        # What a shell makes of the file, and an SDK of the shell's environment.
        script = (
            "import os, json\n"
            "from azure.identity import EnvironmentCredential\n"
            "its = EnvironmentCredential(disable_instance_discovery=True)\n"
            "urls = (os.environ['SANDBOX_ARM'], os.environ['SANDBOX_GRAPH'])\n"
            "print(json.dumps([its.get_token(f'{url}/.default').token for url in urls]))\n"
        )
        command = f". {shlex.quote(str(path))}; exec {shlex.quote(sys.executable)} -c {shlex.quote(script)}"
        process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        resource_manager, graph = json.loads(said)
        assert (await call("DELETE", f"{S}/resourceGroups/app", token=resource_manager)).status == 202
        url = f"{call.azure.endpoints.graph}/v1.0/users/{call.oid(OPS)}"
        assert (await call("DELETE", url, token=graph)).status == 204
