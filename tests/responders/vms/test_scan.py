"""A machine's own scanner looks at all of it: started once, waited for by the hour, and read as text from outside."""

import base64
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responders.errors import Temporary
from responders.vms import commands, scanning
from responders.vms.scan import Scan
from sandbox.azure import guest, guest_jail, guest_linux
from tests.responders.vms.attacked import opened, planned

Json = dict[str, Any]

ACTION, EXERCISE = Scan(), "specialized-disk-swap"
MALWARE = "COUNTERSIGN-SANDBOX-MALWARE:Linux.Miner"
jailed = pytest.mark.skipif(not guest_jail.available(), reason="no user namespaces here: scripts run in a jail or not")


def scanned(scanner: str, **files: str) -> Json:
    """What the script prints over a machine with these files, read."""
    guests = {**guest_linux.new("seed", {}, {})["files"], **{p: {"mode": "0644", "text": t} for p, t in files.items()}}
    ran = guest_jail.run(guests, commands.script("scan.sh"), {}, now=1_795_500_000, scanner=scanner)
    view = {"executionState": "Succeeded", "exitCode": ran.code, "output": ran.output[-4096:], "error": ran.error}
    return scanning.result({"properties": {"instanceView": view}})


@jailed
@pytest.mark.parametrize("scanner", ["clamav", "mdatp"])
def test_what_a_scanner_finds_is_read_back_with_its_path(scanner: str) -> None:
    found = scanned(scanner, **{"/opt/.x/kworker": MALWARE})
    assert found["scanner"] == scanner
    assert found["threats"] == [{"name": "Linux.Miner", "path": "/opt/.x/kworker"}]
    assert not scanning.clean(found)
    assert "Linux.Miner in '/opt/.x/kworker'" in scanning.told(found)


@jailed
@pytest.mark.parametrize("scanner", ["clamav", "mdatp"])
def test_a_machine_without_malware_is_clean(scanner: str) -> None:
    assert scanning.clean(scanned(scanner))


@jailed
def test_a_name_full_of_tricks_stays_a_name() -> None:
    path = "/srv/x: y FOUND <b>\n\x1b[2Jscanner none\nend\n'\"$(id)"
    found = scanned("clamav", **{path: MALWARE, "/srv/second": MALWARE})
    assert found["scanner"] == "clamav"
    assert found["found"] >= 1
    assert all(text.isprintable() for threat in found["threats"] for text in threat.values())


@jailed
def test_more_than_a_run_command_shows_is_counted_and_told_in_part() -> None:
    found = scanned("clamav", **{f"/srv/{'deep/' * 40}{n}": MALWARE for n in range(40)})
    assert (found["found"], len(found["threats"])) == (40, 12)
    assert "and 35 more" in scanning.told(found)


@jailed
def test_without_a_scanner_it_says_so_and_is_not_clean() -> None:
    found = scanned("")
    assert found["why"] == "there is no scanner on the machine"
    assert not scanning.clean(found)


@pytest.mark.parametrize(
    "output", ["", "scanner clamav", "scanner mine\nend", "found x\nend", "scanner clamav\nthreat"]
)
def test_what_no_script_of_ours_prints_is_no_result(output: str) -> None:
    found = scanning.result({"properties": {"instanceView": {"executionState": "Failed", "output": output}}})
    assert found["why"].startswith("it came to no result")
    assert not scanning.clean(found)


def test_what_the_scanner_was_told_to_pass_over_is_told_and_is_not_clean() -> None:
    excluded = base64.b64encode(rb"C:\Users\Public").decode()
    output = f"scanner defender\nversion {excluded}\nexcluded {excluded}\nfound 0\nend\n"
    found = scanning.result({"properties": {"instanceView": {"executionState": "Succeeded", "output": output}}})
    assert not scanning.clean(found)
    assert "told not to look at 'C:\\\\Users\\\\Public'" in scanning.told(found)


def test_shellcheck_has_nothing_to_say() -> None:
    checker = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if checker is None:
        pytest.skip("no shellcheck here")
    text = commands.script("scan.sh")
    found = subprocess.run([checker, "-s", "bash", "-"], input=text, text=True, capture_output=True, check=False)  # noqa: S603
    assert found.stdout == ""


@jailed
async def test_it_is_waited_for_by_the_engine_and_what_it_found_is_the_outcome() -> None:
    async with opened(ACTION, EXERCISE) as world:
        (change,) = (await planned(world, ACTION)).changes
        assert (await ACTION.apply(change, world.azure)).status == "done"
        with pytest.raises(Temporary):
            await ACTION.verify(change, world.azure)
        world.sandbox.clock.advance(timedelta(seconds=5400))
        outcome = await ACTION.verify(change, world.azure)
        assert outcome.status == "done"
        assert outcome.after["threats"] == [{"name": "Linux.Miner", "path": "/opt/.x/kworker"}]
        again = await planned(world, ACTION)
        assert again.changes == ()
        assert "Linux.Miner" in again.reason


async def test_a_scan_that_takes_too_long_has_failed_and_says_what_to_do() -> None:
    async with opened(ACTION, EXERCISE) as world:
        machine = next(s.id for s in world.subjects(ACTION))
        vm = world.sandbox.world.get(machine)
        assert vm
        guest.keep(world.sandbox.world, vm, {**guest.of(world.sandbox.world, vm), "scan_seconds": 14 * 3600})
        (change,) = (await planned(world, ACTION)).changes
        await ACTION.apply(change, world.azure)
        with pytest.raises(Temporary):
            await ACTION.verify(change, world.azure)
        world.sandbox.clock.advance(timedelta(hours=13))
        outcome = await ACTION.verify(change, world.azure)
        assert outcome.status == "failed"
        assert "it took longer than 12 hours" in outcome.reason
        assert "Rebuild the machine" in outcome.reason
