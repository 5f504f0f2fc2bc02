"""An investigation without an alert, as somebody at a terminal asks for it, against a sandbox that was attacked."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks.terminal import shown
from sandbox.scene import EXERCISES
from tests.playbooks.test_command_line import ROOT, run
from tests.responders.seen import Seen

Json = dict[str, Any]
PROD = "3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
NORA = "nora@contoso.example"
# One whose name is made to be obeyed: by a browser, by a terminal, and by whoever reads line by line.
NASTY = "eve<script>alert(1)</script>\x1b[2J\n0 suspicious@contoso.example"
GRANT = "7b0e4c10-0000-4000-8000-0000000000e1"
SPARE = ("COUNTERSIGN_EVIDENCE", "COUNTERSIGN_SUBSCRIPTIONS", "COUNTERSIGN_OWNERS", "COUNTERSIGN_APPROVERS")


def attack(folder: Path) -> Path:
    """The exercise with three honest weeks, and Eve in it, who runs a command and tries for more."""
    text = (EXERCISES / "three-honest-weeks.yaml").read_text("utf-8")
    eve = json.dumps(NASTY)
    run_ = 'post: "${web1}/runCommand?api-version=2024-07-01", body: {commandId: RunShellScript, script: [id]}'
    owner = 'properties: {roleDefinitionId: "${prod}${roles}/${Owner}", principalId: "${ci-deploy}"}'
    grant = f'put: "${{prod}}/${{grants}}/{GRANT}?api-version=2022-04-01", status: 403, body: {{{owner}}}'
    tries = [f"  - {{at: -PT{n}M, as: {eve}, ip: 192.0.2.77, {what}}}\n" for n, what in ((125, run_), (124, grant))]
    role = f'    - {{scope: "${{prod}}", role: Contributor, principal: {eve}}}\n'
    parts = {
        "  users:\n": f"    - {{upn: {eve}, name: Eve}}\n",
        "  role_assignments:\n": role,
        "attack:\n": "".join(tries),
    }
    for before, more in parts.items():
        assert text.count(before) == 1
        text = text.replace(before, before + more)
    file = folder / "attack.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of somebody who may read that Azure; what only a deployed responder needs is not in it."""
    folder = tmp_path_factory.mktemp("investigate")
    command = [sys.executable, "-m", "sandbox", "serve", str(attack(folder)), "--keep", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout
        told = ""
        while "Evidence, journal" not in told:
            line = process.stdout.readline()
            assert line, "the sandbox did not come up"
            told += line
        try:
            lines = (folder / "serve" / "env").read_text().splitlines()
            pairs = (shlex.split(line)[1].partition("=") for line in lines)
            yield {name: value for name, _, value in pairs if name not in SPARE}
        finally:
            process.terminate()


def investigate(azure: dict[str, str], *more: str, since: str = "PT24H") -> subprocess.CompletedProcess[str]:
    return run("investigate", "--subscription", PROD, "--since", since, *more, env=azure)


def data(azure: dict[str, str], *more: str) -> Json:
    done = investigate(azure, "--json", *more)
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


def test_all_that_an_account_did_is_told_with_why_and_whom_a_response_would_take(azure: dict[str, str]) -> None:
    found = data(azure, "--account", NORA)

    (suspect,) = [one for one in found["suspects"] if one["upn"] == NORA]
    assert suspect["kind"] == "user"
    hers = [one for one in found["findings"]["list"] if one["address"] == "198.51.100.99"]
    assert len(hers) == 32
    assert all(one["suspect"] and one["level"] in {"suspicious", "notable"} for one in hers)
    assert all(point["reason"] and point["events"] for one in hers for point in one["points"])
    subjects = {(one["kind"], one["name"] or one["id"]) for one in found["subjects"]}
    assert {("user", NORA), ("subscription", PROD), ("vm", "vm-web-1"), ("vm", "vm-web-2")} <= subjects
    assert any("tenant's own Activity Log was not read" in note for note in found["notes"])

    told = investigate(azure, "--account", NORA).stdout
    assert f"{NORA} (suspect: the investigation names it)" in told
    assert re.search(rf"suspicious, \d+ points: {NORA} ran a command on a virtual machine\n", told)
    assert "      +3 the caller came never before from 198.51.0.0/16, but from 203.0.0.0/16" in told
    assert f"A response would take as compromised:\n  user {NORA}: the investigation names it" in told


def test_without_an_account_all_are_judged_by_what_they_did_alone(azure: dict[str, str]) -> None:
    found = data(azure)

    assert found["suspects"] == []
    listed = found["findings"]["list"]
    assert not any(one["suspect"] for one in listed)
    assert {one["level"] for one in listed} == {"suspicious", "notable"}
    assert {one["address"] for one in listed if one["level"] == "suspicious"} == {"198.51.100.99", "192.0.2.77"}
    assert sum(one["name"] == NORA for one in listed) >= 25
    accused = [one for one in found["subjects"] if one["kind"] == "user"]
    assert {one["name"] for one in accused} == {NORA, NASTY}
    assert all(" suspicious activit" in one["reason"] and "the first at" in one["reason"] for one in accused)


def test_hostile_text_is_inert_at_the_terminal_and_in_the_page(azure: dict[str, str], tmp_path: Path) -> None:
    done = investigate(azure, "--account", NASTY, "--html", str(tmp_path / "page.html"))

    assert done.returncode == 0, done.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    assert "\n0 suspicious" not in done.stdout
    assert f"{shown(NASTY)} (suspect: the investigation names it)" in done.stdout
    assert f"{shown(NASTY)} ran a command on a virtual machine" in done.stdout
    assert f"{shown(NASTY)} tried and failed: gave rights" in done.stdout
    seen = Seen((tmp_path / "page.html").read_bytes())
    assert "script" not in {tag for tag, _ in seen.elements}
    assert seen.links() == []
    assert "eve<script>alert(1)</script>⟨U+001B⟩" in seen.text


def test_the_page_has_the_picture_and_says_what_the_log_can_not_tell(azure: dict[str, str], tmp_path: Path) -> None:
    for more in ((), ("--account", NORA)):
        done = investigate(azure, *more, "--html", str(tmp_path / "page.html"))
        assert done.returncode == 0, done.stderr
        seen = Seen((tmp_path / "page.html").read_bytes())
        marks = [attrs for tag, attrs in seen.elements if tag == "circle" and "suspicious" in (attrs["class"] or "")]
        bars = [attrs for tag, attrs in seen.elements if tag == "rect" and "suspicious" in (attrs["class"] or "")]
        assert marks + bars
        assert "What the log does not tell" in seen.text
        assert "A response would take as compromised" in seen.text
        assert ("Nobody was named: all are judged by what they did." in seen.text) is (not more)
        policy = [attrs["content"] for _, attrs in seen.elements if attrs.get("http-equiv")]
        assert str(policy[0]).startswith("default-src 'none'")


def test_an_account_that_nobody_knows_is_looked_for_by_its_name_and_that_is_said(azure: dict[str, str]) -> None:
    notes = data(azure, "--account", "gone@contoso.example")["notes"]
    assert any("The directory knows no gone@contoso.example. It is looked for in the log" in note for note in notes)
    assert "The log holds no activity of gone@contoso.example in that time." in notes


def test_what_lies_before_the_time_or_after_it_is_not_told(azure: dict[str, str]) -> None:
    assert data(azure, "--account", NORA, "--until", "PT10H")["findings"]["count"] == 2  # her own work
    done = investigate(azure, "--until", "P3D")
    assert (done.returncode, done.stderr.startswith("There is nothing between")) == (1, True)


def test_another_subscription_than_those_that_are_set_is_refused(azure: dict[str, str]) -> None:
    other = {**azure, "COUNTERSIGN_SUBSCRIPTIONS": "11111111-2222-4333-8444-555555555555"}
    done = investigate(other)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Subscription {PROD} is not in COUNTERSIGN_SUBSCRIPTIONS")
    assert investigate({**azure, "COUNTERSIGN_SUBSCRIPTIONS": PROD.upper()}).returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("--subscription", "production", "--since", "PT1H"),
        ("--subscription", PROD),
        ("--subscription", PROD, "--since", "yesterday"),
        ("--subscription", PROD, "--since", "P99999999D"),
        ("--subscription", PROD, "--since", "PT1H", "--account", "Mallory"),
    ],
)
def test_called_wrongly_it_says_so(wrong: tuple[str, ...]) -> None:
    done = run("investigate", *wrong)
    assert done.returncode == 2
    assert "usage:" in done.stderr
