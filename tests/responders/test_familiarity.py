"""What is known good, what is not, and what is left for a person."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from responders.familiarity import judge
from responders.model import Case, Finding, Known, Maker, Principal
from tests.responders.story import ALERT, AUTOMATION, MALLORY, NOON, SUBSCRIPTION

OPS, GUEST = "b" * 32, "e" * 32
THING = f"{AUTOMATION}/runbooks/Sync"
SINCE, IN = NOON - timedelta(days=1), NOON - timedelta(hours=1)
BEFORE = SINCE - timedelta(days=3)
DECLARED = "declared in COUNTERSIGN_FAMILIAR"
TAGS = {"countersign": "familiar"}


def case(**fields: Any) -> Case:
    made = Case(
        incident="i", alert=ALERT, subscription=SUBSCRIPTION, tenant="t", suspects=(MALLORY,), since=SINCE, until=NOON
    )
    return made.having(findings=(deed(AUTOMATION),), familiar_tags=("countersign=familiar",), **fields)


def deed(resource: str, **fields: Any) -> Finding:
    said = {"rule": "other", "reason": "mallory wrote it", "at": IN, "operation": "x/runbooks/write"}
    return Finding(**{**said, "resource": resource, "caller": MALLORY.id, **fields})


def said_by_owner(thing: str = THING, by: str = OPS) -> tuple[Known, ...]:
    return (Known(id=thing, because="said so by olivia@contoso.example", by=by),)


def test_what_a_suspect_made_in_the_window_is_unfamiliar() -> None:
    found = judge(case(), MALLORY.id, IN)
    assert found.familiarity == "unfamiliar"
    assert "by the suspect mallory@contoso.example" in found.reasons[0]


def test_a_deed_of_which_the_log_names_no_resource_made_nothing_in_particular() -> None:
    nameless = case().having(findings=(deed(""),), makers={"": Maker(id=OPS, at=IN, regular="he always does")})
    assert judge(nameless, None, IN).familiarity == "unknown"


def test_what_was_made_before_the_window_is_familiar_whoever_made_it() -> None:
    assert judge(case(), None, BEFORE).familiarity == "familiar"
    assert judge(case(), MALLORY.id, BEFORE).familiarity == "familiar"


@pytest.mark.parametrize("kind", ["foreign", "unknown"])
def test_what_a_stranger_who_is_a_suspect_made_before_it_is_unknown(kind: Any) -> None:
    stranger = msgspec.structs.replace(MALLORY, kind=kind)
    assert judge(case(suspects=(stranger,)), MALLORY.id, BEFORE).familiarity == "unknown"


def test_what_azure_does_not_tell_is_unknown() -> None:
    assert judge(case(), MALLORY.id, None).familiarity == "unknown"
    assert judge(case(), None, IN).familiarity == "unknown"
    assert judge(case(), OPS, IN).familiarity == "unknown"


def test_what_somebody_made_in_his_routine_is_familiar_and_says_why() -> None:
    regular = {THING.lower(): Maker(id=OPS, at=IN, regular="ops did 300 things")}
    found = judge(case(makers=regular), None, IN, thing=THING)
    assert (found.familiarity, "ops did 300 things" in found.reasons[0]) == ("familiar", True)
    assert judge(case(makers=regular), GUEST, IN, thing=THING).familiarity == "unknown"  # it was somebody else
    new = {THING.lower(): Maker(id=OPS, at=IN)}
    assert judge(case(makers=new), None, IN, thing=THING).familiarity == "unknown"


def test_who_made_what_nobody_knows_is_told_by_name_and_whether_he_came_from_where_the_alert_says() -> None:
    for address, said in (("192.0.2.9", False), ("198.51.100.7", True)):
        log = {THING.lower(): Maker(id=OPS, at=IN, name="omar@contoso.example", address=address)}
        one = case(makers=log)
        one = one.having(alert=replace(one.alert, addresses=("198.51.100.7",)))
        reason = judge(one, None, IN, thing=THING).reasons[0]
        assert "by omar@contoso.example, who is no suspect" in reason
        assert reason.endswith("but came from 198.51.100.7, which the alert names") == said


def test_whoever_changed_later_what_a_suspect_made_did_not_make_it() -> None:
    later = {THING.lower(): Maker(id=OPS, at=IN + timedelta(minutes=1), regular="ops did 300 things")}
    mine = case(makers=later).having(findings=(deed(THING),))
    assert judge(mine, None, IN, thing=THING).familiarity == "unfamiliar"
    failed = case(makers=later).having(findings=(deed(THING, outcome="failed"),))
    assert judge(failed, None, IN, thing=THING).familiarity == "familiar"


def test_a_pipeline_is_trusted_until_it_is_a_suspect() -> None:
    assert judge(case(pipelines=(OPS.upper(),)), OPS, IN).familiarity == "familiar"
    taken = Principal(id=OPS, kind="service_principal", since=IN + timedelta(minutes=5))
    suspected = case(pipelines=(OPS,), suspects=(MALLORY, taken))
    assert judge(suspected, OPS, IN).familiarity == "unknown"
    assert judge(suspected, OPS, IN + timedelta(minutes=6)).familiarity == "unfamiliar"


@pytest.mark.parametrize("declared", [THING.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), AUTOMATION])
def test_what_is_declared_is_familiar_with_all_beneath(declared: str) -> None:
    known = (Known(id=declared, because=DECLARED),)
    assert judge(case(known=known), None, None, thing=THING).familiarity == "familiar"
    assert judge(case(known=known), OPS, IN, thing=THING + "2").familiarity == (
        "familiar" if declared == AUTOMATION else "unknown"
    )


def test_an_intruder_can_not_hide_beneath_what_is_declared() -> None:
    beneath = case(known=(Known(id=AUTOMATION, because=DECLARED),))
    assert judge(beneath, MALLORY.id, IN, thing=THING).familiarity == "unfamiliar"
    very = case(known=(Known(id=THING, because=DECLARED),))
    assert judge(very, MALLORY.id, IN, thing=THING).familiarity == "unknown"


def test_a_suspect_is_never_known() -> None:
    both = (Known(id=MALLORY.id, because=DECLARED), *said_by_owner(MALLORY.id))
    assert judge(case(known=both), None, None, thing=MALLORY.id).familiarity == "unknown"


def test_the_owners_word_holds_for_the_very_thing() -> None:
    mine = case(known=said_by_owner())
    found = judge(mine, MALLORY.id, IN, thing=THING)
    assert (found.familiarity, found.reasons) == ("familiar", ("said so by olivia@contoso.example",))
    assert judge(mine, MALLORY.id, IN, thing=THING + "/jobs/1").familiarity == "unfamiliar"
    above = case(known=said_by_owner(AUTOMATION))
    assert judge(above, MALLORY.id, IN, thing=THING).familiarity == "unfamiliar"


def test_the_owners_word_does_not_hold_for_what_gives_himself_rights() -> None:
    mine = case(known=said_by_owner())
    assert judge(mine, MALLORY.id, IN, thing=THING, holder=OPS.upper()).familiarity == "unfamiliar"
    assert judge(mine, MALLORY.id, IN, thing=THING, holder=GUEST).familiarity == "familiar"


def test_a_tag_counts_for_what_may_be_old_and_no_suspect_wrote() -> None:
    assert judge(case(), None, None, thing=THING, tags={"Countersign": "Familiar"}).familiarity == "familiar"
    assert judge(case(), None, None, thing=THING, tags={"countersign": "no"}).familiarity == "unknown"


@pytest.mark.parametrize("wrote", [THING, THING + "/providers/Microsoft.Resources/tags/default"])
def test_a_tag_that_a_suspect_may_have_written_does_not_count(wrote: str) -> None:
    tagged = case().having(findings=(deed(wrote, operation="microsoft.resources/tags/write"),))
    found = judge(tagged, None, None, thing=THING, tags=TAGS)
    assert (found.familiarity, found.reasons[-1]) == (
        "unknown",
        "its tag countersign does not count: a suspect wrote there in the window",
    )


def test_a_tag_does_not_whiten_what_was_made_in_the_window_or_when_the_log_is_dark() -> None:
    assert judge(case(), MALLORY.id, IN, thing=THING, tags=TAGS).familiarity == "unfamiliar"
    assert "not there before the window" in judge(case(), OPS, IN, thing=THING, tags=TAGS).reasons[-1]
    dark = case().having(findings=())
    assert "the log does not show" in judge(dark, None, None, thing=THING, tags=TAGS).reasons[-1]
