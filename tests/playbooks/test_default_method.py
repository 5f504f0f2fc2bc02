"""Which way to sign in is the default one nobody tells: a wrong guess puts itself right within the run."""

from pathlib import Path

import pytest

from sandbox.drill import perform
from sandbox.scene import EXERCISES, load

STOLEN = EXERCISES / "stolen-member.yaml"
# When the authenticator was registered, which is the default: before the phone, as is guessed, and after it.
BEFORE, AFTER = "${-PT56M}", "${-PT54M}"


@pytest.mark.parametrize("registered", [BEFORE, AFTER])
async def test_whichever_it_is_all_go_and_the_owner_gets_his_account_back(registered: str, tmp_path: Path) -> None:
    text = STOLEN.read_text()
    assert text.count(BEFORE) == 2
    file = tmp_path / STOLEN.name
    file.write_text(text.replace(BEFORE, registered))

    score = await perform(load(file))

    assert score.failures == ()
    assert score.passed
