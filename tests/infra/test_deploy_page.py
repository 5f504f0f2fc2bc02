"""docs/deploy.md: its commands are shell, and name what is there."""

import re
import subprocess

import pytest

from tests.infra.bicep import INFRA, ROOT, read, required

PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    (file, set(re.findall(r"\b([a-z]\w*)=", given)))
    for block in BLOCKS
    for file, given in re.findall(
        r"--template-file infra/([\w-]+\.bicep)[ \\\n]*--parameters((?:[^\n]*\\\n)*[^\n]*)", block
    )
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_its_commands_are_shell(block: str) -> None:
    done = subprocess.run(["/bin/sh", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_bicep_file_is_deployed_with_what_it_takes() -> None:
    assert {file for file, _ in COMMANDS} == {path.name for path in INFRA.glob("*.bicep")}
    for file, given in COMMANDS:
        assert required(INFRA / file) <= given <= set(read(INFRA / file)["parameters"]), file


def test_what_it_points_to_is_there() -> None:
    paths = set(re.findall(r"`((?:infra|docs|tests|modules)/[\w./-]+)`", PAGE))
    assert [path for path in paths if not ((ROOT / path).exists() or (INFRA / path).exists())] == []
    headings = {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_the_commands_of_the_script_are_the_scripts() -> None:
    usage = (INFRA / "consent.sh").read_text("utf-8")
    used = set(re.findall(r"consent\.sh (register|grant|role|revoke|remove)\b", PAGE))
    assert used == set(re.findall(r"^consent\.sh (\w+) NAME", usage, re.MULTILINE))
