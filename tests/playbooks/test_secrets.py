"""What the vault holds is nowhere else: not in history, journal, evidence, logs, mails, HTTP answers or the report."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox import drill
from sandbox.azure import Sandbox
from sandbox.people import People
from sandbox.scene import EXERCISES, load


def _forms(secret: str) -> Iterator[bytes]:
    """A secret as it may be written: plain, in JSON, in a URL, in hex, and in base64 wherever it begins there."""
    plain = secret.encode()
    yield from (plain, json.dumps(secret)[1:-1].encode(), quote(secret, safe="").encode(), plain.hex().encode())
    for before in range(3):
        text = base64.b64encode(b"x" * before + plain)
        yield text[4 if before else 0 : -4]  # without what depends on what is beside it
        yield base64.urlsafe_b64encode(b"x" * before + plain)[4 if before else 0 : -4]


def _read(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Sandbox], list[str]]:
    """The sandboxes of all performances, and what the host answered."""
    sandboxes: list[Sandbox] = []
    answers: list[str] = []
    send = People._send

    class Watched(Sandbox):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            sandboxes.append(self)

    async def sent(self: People, method: str, target: str, headers: dict[str, str], body: object) -> tuple[int, str]:
        status, text = await send(self, method, target, headers, body)
        if "/secrets/" not in target:  # whoever hands the password out reads it there
            answers.append(text)
        return status, text

    monkeypatch.setattr(drill, "Sandbox", Watched)
    monkeypatch.setattr(People, "_send", sent)
    return sandboxes, answers


@pytest.mark.parametrize("exercise", ["stolen-member", "linux-implant", "windows-planted-admin"])
async def test_a_new_password_is_in_the_vault_alone(
    exercise: str, tmp_path: Path, seen: tuple[list[Sandbox], list[str]]
) -> None:
    sandboxes, answers = seen
    score = await drill.perform(load(EXERCISES / f"{exercise}.yaml"), keep=tmp_path)
    assert score.passed, score.failures

    (sandbox,) = sandboxes
    vaults = sandbox.world.state["vault"].values()
    kept = [v for vault in vaults for versions in vault["secrets"].values() for v in versions]
    secrets = {v["value"] for v in kept if "user" in v["tags"]}  # a receipt says what was done, and is no secret
    names = {name.encode() for vault in vaults for name in vault["secrets"]}
    files = _read(tmp_path)
    files["answers"] = "\n".join(answers).encode()
    files["mails"] = json.dumps(sandbox.world.mails).encode()
    files["activity log"] = json.dumps(sandbox.world.activity.dump()).encode()
    files["Entra's log"] = json.dumps(sandbox.world.directory.audits).encode()
    files["operations"] = json.dumps(sandbox.world.operations).encode()
    files["run in machines"] = json.dumps(sandbox.world.state.get("compute", {})).encode()
    files["resources"] = json.dumps([r.body for r in sandbox.world]).encode()  # run commands and what is on disks too

    assert secrets
    assert [file for file, text in files.items() if any(form in text for s in secrets for form in _forms(s))] == []
    # And it was looked for where it would be: these tell where it is.
    telling = {Path(file).name for file, text in files.items() if any(name in text for name in names)}
    assert telling >= {"answers", "incident.json", "requests.json"}
    assert any("/journal/" in file and any(name in text for name in names) for file, text in files.items())
    assert {"host.db", "host.log"} <= {Path(file).name for file in files}
