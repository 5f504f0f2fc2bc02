"""The scripts that run in machines: checked by shellcheck and a parser, and run for real over a hostile machine."""

import base64
import hashlib
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_powershell

from responders.vms import accounts, commands
from sandbox.azure import guest_jail, guest_linux, guest_powershell

Json = dict[str, Any]

SCRIPTS = Path(accounts.__file__).parent / "scripts"
SHELL = ("list_accounts", "set_passwords", "remove_account")
NOW = 1_795_500_000
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRoaWVmdGhpZWZ0aGllZnRoaWVmdGhpZWZ0aGllZnRo thief"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wcy10ZWFtb3BzLXRlYW1vcHMtdGVhbW9wcy10 ops"
jailed = pytest.mark.skipif(not guest_jail.available(), reason="no user namespaces here: scripts run in a jail or not")


@pytest.mark.parametrize("name", SHELL)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    checker = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if checker is None:
        pytest.skip("no shellcheck here")
    text = accounts.text_of(name, "Linux")
    found = subprocess.run([checker, "-s", "sh", "-"], input=text, text=True, capture_output=True, check=False)  # noqa: S603
    assert found.stdout == ""


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.ps1")), ids=lambda path: path.stem)
def test_powershell_parses(path: Path) -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    assert not parser.parse(path.read_bytes()).root_node.has_error
    assert parser.parse(path.read_bytes() + b"\nif (").root_node.has_error


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.ps1")), ids=lambda path: path.stem)
def test_the_sandbox_knows_what_each_powershell_script_does(path: Path) -> None:
    name, _ = guest_powershell.SCRIPTS[guest_powershell.digest(commands.script(path.name))]
    assert name == path.name


def _guest(*users: Json, **files: str) -> Json:
    made = guest_linux.new("seed", {}, {"users": users})
    return {**made["files"], **{path: {"mode": "0644", "text": text} for path, text in files.items()}}


def _run(files: Json, name: str, **given: str) -> guest_jail.Ran:
    ran = guest_jail.run(files, accounts.text_of(name, "Linux"), given, now=NOW)
    assert (ran.code, ran.error) == (0, "")
    return ran


def _listed(files: Json, since: int = NOW - 3600) -> accounts.Accounts:
    ran = _run(files, "list_accounts", SINCE=str(since))
    assert ran.files == files  # it changes nothing
    return accounts.parsed({"executionState": "Succeeded", "output": ran.output}, "Linux")


def _accounts(files: Json) -> dict[str, guest_linux.Account]:
    return guest_linux.accounts({"files": guest_linux.sealed(files, "s")}, NOW // 86400)


@jailed
def test_all_that_a_password_opens_are_listed_and_no_others() -> None:
    found = _listed(
        _guest(
            {"name": "webadmin", "password": "a"},
            {"name": "ftp", "password": "b", "shell": "/usr/sbin/nologin"},
            {"name": "keyonly", "keys": [KEY]},
            {"name": "off", "password": "c", "enabled": False},
        )
    )
    assert [a.name for a in found.accounts] == ["webadmin", "ftp"]
    assert found.broken == ""


@jailed
def test_names_that_are_none_are_shown_escaped_and_not_taken() -> None:
    evil = ["$(reboot)", "a;b", "-rf", "x\x1b[2Jy", "quo'te", "toolong" * 9]
    found = _listed(_guest({"name": "webadmin", "password": "a"}, *({"name": n, "password": "x"} for n in evil)))
    assert [a.name for a in found.accounts] == ["webadmin"]
    assert found.odd[:5] == ("$(reboot)", "a;b", "-rf", "x\\x1b[2Jy", "quo'te")
    assert found.broken == ""


@jailed
def test_keys_of_files_that_were_changed_are_told_from_others_and_links_and_pipes_hold_nobody_up() -> None:
    options = f'command="/bin/sh -c \\"id; #\\"",no-pty {KEY}'
    files = _guest({"name": "webadmin"}, {"name": "deploy", "keys": [OTHER]})
    path = "/home/webadmin/.ssh/authorized_keys"
    files[path] = {"mode": "0600", "text": f"# ours\n\n{options}\nnonsense\n", "lastModifiedTime": NOW}
    files["/home/webadmin/.ssh/authorized_keys2"] = {"link": "/dev/zero"}
    found = _listed(files)
    assert [(k.user, k.comment) for k in found.keys] == [("webadmin", "thief")]
    assert [k.user for k in found.settled] == ["deploy"]


@jailed
def test_keys_are_looked_for_where_the_server_does() -> None:
    files = _guest({"name": "webadmin"}, **{"/etc/ssh/keys/webadmin": f"{KEY}\n"})
    files["/etc/ssh/sshd_config"] = {
        "mode": "0600",
        "text": "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n",
    }
    found = _listed(files)
    assert [k.user for k in found.settled] == ["webadmin"]
    ran = _run(files, "remove_account", NAME="webadmin", KEY=found.settled[0].print)
    assert ran.files["/etc/ssh/keys/webadmin"]["text"] == ""


@jailed
def test_each_gets_his_own_password_and_what_was_locked_stays_locked() -> None:
    files = _guest(
        {"name": "webadmin", "password": "a"},
        {"name": "off", "password": "b", "enabled": False},
        {"name": "late", "password": "c"},
        {"name": "root", "password": "d"},
    )
    ran = _run(files, "set_passwords", PAIRS="webadmin:New-1_.x;off:New-2;gone:New-3;root:New-4")
    before, after = _accounts(files), _accounts(ran.files)
    assert ran.output.splitlines() == ["closed off", "closed gone", "new late", "set 2"]
    assert after["webadmin"].hash != before["webadmin"].hash
    assert after["root"].hash not in {before["root"].hash, after["webadmin"].hash}
    assert (after["off"], after["late"]) == (before["off"], before["late"])
    assert "New-" not in ran.output + ran.error


@jailed
def test_one_account_goes_and_all_others_stay() -> None:
    files = _guest({"name": "webadmin", "keys": [OTHER, KEY]}, {"name": "support", "password": "x", "groups": ["sudo"]})
    ran = _run(files, "remove_account", NAME="support", KEY="-")
    assert ran.output == "removed\n"
    assert {**_accounts(files)}.keys() - {"support"} == _accounts(ran.files).keys()
    again = _run(ran.files, "remove_account", NAME="support", KEY="-")
    assert (again.output, again.files) == ("gone\n", ran.files)


@jailed
def test_one_key_goes_and_all_others_stay() -> None:
    files = _guest({"name": "webadmin", "keys": ["# kept", OTHER, KEY]})
    ran = _run(files, "remove_account", NAME="webadmin", KEY=_print(KEY))
    path = "/home/webadmin/.ssh/authorized_keys"
    assert ran.files[path]["text"] == f"# kept\n{OTHER}\n"
    assert ran.files[path]["mode"] == files[path]["mode"]


def _print(key: str) -> str:
    return hashlib.sha256(base64.b64decode(key.split()[1])).hexdigest()[:32]


_said = partial(accounts.parsed, system="Linux")


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ({"executionState": "Failed", "output": "accounts\nend"}, "came to Failed"),
        ({}, "came to nothing"),
        ({"executionState": "Succeeded", "output": "u\ta\t1\t2\t0\nend"}, "more of them than"),
        ({"executionState": "Succeeded", "output": "accounts\nu\ta\t1\t2\t0"}, "more of them than"),
        ({"executionState": "Succeeded", "output": "accounts\nx\t1\nend"}, "does not write"),
        ({"executionState": "Succeeded", "output": "accounts\nu\ta\tb\nend"}, "does not write"),
    ],
    ids=["failed", "nothing", "cut", "open", "kind", "fields"],
)
def test_a_list_that_is_none_is_not_used(view: Json, why: str) -> None:
    found = _said(view)
    assert why in found.broken
    assert found.accounts == ()


def test_what_a_list_says_falsely_is_not_taken() -> None:
    lines = ["accounts", "u\troot;id\t0\t1\t0", "u\tok\tx\t-1\t99999999999999", "k\tok\tnot-hex\t1\tAA==", "end"]
    found = _said({"executionState": "Succeeded", "output": "\n".join(lines)})
    assert [(a.name, a.number, a.day, a.born) for a in found.accounts] == [("ok", 0, 0, None)]
    assert found.keys == ()
    assert found.odd == ("'root;id'",)
