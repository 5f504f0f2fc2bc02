"""Whom the findings show to be in the same hands as the suspects, and whom they leave alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from responders.actions import permissions
from responders.investigation import accomplices
from responders.model import Case, Known
from sandbox.scene import EXERCISES
from tests.laws.stage import Attacked, attacked

HELPED = EXERCISES / "accounts-that-help.yaml"
IAM, TEMP = "iam@contoso.example", "temp@contoso.example"


def alone(there: Attacked, **findings: Any) -> Case:
    """The case as it was when only the account that the alert names was suspected."""
    theirs = tuple(
        replace(f, suspect=False, **findings) if f.name == IAM else replace(f, suspect=True)
        for f in there.case.findings
    )
    named = tuple(s for s in there.case.suspects if s.upn == TEMP)
    return there.case.having(findings=theirs, suspects=named)


async def test_who_gave_a_suspect_rights_from_the_address_of_the_alert_is_one() -> None:
    async with attacked(HELPED, permissions()) as there:
        (iam,) = await accomplices.found(there.azure, alone(there))
        assert iam.upn == IAM
        assert iam.because.startswith(f"{IAM} gave rights to {TEMP}, and worked from 198.51.100.181, which the alert")


@pytest.mark.parametrize(
    "findings",
    [{"address": "203.0.113.30"}, {"usual": True}, {"level": "notable"}],
    ids=["from elsewhere", "from where he always comes", "nothing suspicious"],
)
async def test_a_colleague_of_whom_less_is_known_is_none(findings: dict[str, Any]) -> None:
    async with attacked(HELPED, permissions()) as there:
        assert await accomplices.found(there.azure, alone(there, **findings)) == ()


async def test_nor_is_one_whom_people_answer_for() -> None:
    async with attacked(HELPED, permissions()) as there:
        known = Known(id=there.scene.who(IAM), because="said so by olivia", by="o")
        assert await accomplices.found(there.azure, alone(there).having(known=(known,))) == ()


async def test_nor_is_one_who_gave_no_suspect_anything() -> None:
    async with attacked(HELPED, permissions()) as there:
        case = alone(there)
        stranger = replace(case.suspects[0], id=there.scene.who("soc@contoso.example"), upn="soc@contoso.example")
        assert await accomplices.found(there.azure, case.having(suspects=(stranger,))) == ()


async def test_an_address_from_which_the_suspect_always_came_tells_nothing() -> None:
    async with attacked(HELPED, permissions()) as there:
        case = alone(there)
        usual = tuple(replace(f, usual=f.suspect) for f in case.findings)
        assert await accomplices.found(there.azure, case.having(findings=usual)) == ()
