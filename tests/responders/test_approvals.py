"""Who may countersign, and what countersignatures come to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from responders import approvals
from responders.approvals import GateRecord, Person, Question, Vote
from responders.errors import Refused
from responders.model import Alert, Case, Change, Plan, Principal, Subject, digest

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
ALICE = Person(id="a11ce", name="alice", roles=("Approver",))
BOB = Person(id="b0b", name="bob", roles=("Approver",))
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
CHANGES = tuple(
    Change(action="x.y", resource=f"/r/{n}", summary=f"change {n}", before={"n": n}, principals=("granted",))
    for n in range(3)
)
PLAN = Plan(action="x.y", subject=Subject(kind="subscription", id=SUBSCRIPTION), changes=CHANGES)
GATE = GateRecord(
    id="g", action="x.y", plan=digest(PLAN), needs=2, expires=NOW + timedelta(hours=4), barred={"mallory": "suspect"}
)


def vote(by: Person = ALICE, **said: Any) -> Vote:
    return Vote(**{"by": by, "at": NOW, "decision": "approve", "digest": digest(PLAN), **said})


def refusal(given: Vote, earlier: tuple[Vote, ...] = (), gate: GateRecord = GATE) -> Refused:
    with pytest.raises(Refused) as caught:
        approvals.check_vote(gate, PLAN, given, earlier)
    return caught.value


def test_an_approver_countersigns_the_whole_plan() -> None:
    approvals.check_vote(GATE, PLAN, vote(), ())


def test_what_is_unknown_runs_only_where_somebody_names_it() -> None:
    known, unknown = CHANGES[0], msgspec.structs.replace(CHANGES[1], familiarity="unknown")
    plan = msgspec.structs.replace(PLAN, changes=(known, unknown))

    assert approvals.subset(plan, ()).changes == (known,)
    assert approvals.subset(plan, (unknown.id,)).changes == (unknown,)


def test_a_plan_of_unknown_things_alone_can_not_be_approved_as_a_whole() -> None:
    plan = msgspec.structs.replace(PLAN, changes=(msgspec.structs.replace(CHANGES[0], familiarity="unknown"),))

    with pytest.raises(Refused, match="Name the changes"):
        approvals.subset(plan, ())


def test_who_is_no_approver_is_refused() -> None:
    error = refusal(vote(Person(id="reader", name="rita", roles=("Reader",))))

    assert error.status == 403
    assert "app role Approver" in str(error)


def test_the_suspect_can_not_countersign() -> None:
    error = refusal(vote(Person(id="mallory", name="mallory", roles=("Approver",))))

    assert error.status == 403
    assert "suspect" in str(error)


def test_suspect_requester_and_those_concerned_are_barred() -> None:
    alert = Alert(name="n", type="t", title="t", severity="High", status="Active", start=NOW, end=NOW)
    suspect = Principal(id="mallory", kind="user")
    case = Case(incident="i", alert=alert, subscription="s", tenant="t", suspects=(suspect,), since=NOW, until=NOW)

    assert approvals.barred(case, PLAN, "requester").keys() == {"mallory", "requester", "granted"}


def test_an_approval_of_another_plan_is_refused() -> None:
    assert "another plan" in str(refusal(vote(digest="0" * 64)))


def test_an_approval_without_a_digest_is_refused() -> None:
    assert "another plan" in str(refusal(vote(digest="")))


def test_a_subset_is_approved_by_its_own_digest() -> None:
    part = approvals.selection(GATE.plan, [CHANGES[1].id])

    approvals.check_vote(GATE, PLAN, vote(digest=part, changes=(CHANGES[1].id,)), ())
    assert approvals.subset(PLAN, [CHANGES[1].id]).changes == (CHANGES[1],)
    assert "another plan" in str(refusal(vote(changes=(CHANGES[1].id,))))


def test_a_change_that_the_plan_has_not_is_refused() -> None:
    assert "no change feed" in str(refusal(vote(changes=("feed",))))


def test_a_second_answer_is_refused() -> None:
    assert "already" in str(refusal(vote(decision="reject"), earlier=(vote(),)))


def test_a_late_answer_is_refused() -> None:
    error = refusal(vote(at=GATE.expires + timedelta(seconds=1)))

    assert error.status == 409
    assert "Nothing was changed" in str(error)


def test_one_of_two_approvals_leaves_the_gate_open() -> None:
    assert approvals.tally(GATE, [vote()]).state == "open"


def test_two_people_approve_together() -> None:
    decision = approvals.tally(GATE, [vote(), vote(BOB)])

    assert (decision.state, decision.digest, decision.by) == ("approved", digest(PLAN), ("alice", "bob"))


def test_the_same_person_twice_is_one_approval() -> None:
    assert approvals.tally(GATE, [vote(), vote(at=NOW + timedelta(minutes=1))]).state == "open"


def test_two_approvals_of_different_changes_do_not_add_up() -> None:
    part = approvals.selection(GATE.plan, [CHANGES[1].id])

    assert approvals.tally(GATE, [vote(), vote(BOB, digest=part, changes=(CHANGES[1].id,))]).state == "open"


def test_one_rejection_rejects_and_keeps_its_reason() -> None:
    decision = approvals.tally(GATE, [vote(), vote(BOB, decision="reject", reason="that is our pipeline")])

    assert (decision.state, decision.reason) == ("rejected", "that is our pipeline")


def test_any_difference_in_a_change_is_another_digest() -> None:
    other = Plan(action="x.y", subject=PLAN.subject, changes=(*CHANGES[:2], CHANGES[0]))

    assert digest(other) != digest(PLAN)


QUESTION = Question(id="q", text="?", asked=("0wner",), suspects=("mallory",), expires=NOW + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("person", "at", "status"),
    [
        (Person(id="mallory", name="mallory", roles=("Owner",)), NOW, 403),
        (Person(id="stranger", name="stranger", roles=("Reader",)), NOW, 403),
        (Person(id="0wner", name="owner"), NOW + timedelta(hours=1), 409),
    ],
    ids=["the suspect, even as an owner", "a stranger", "too late"],
)
def test_who_may_not_answer_the_question_is_refused(person: Person, at: datetime, status: int) -> None:
    with pytest.raises(Refused) as caught:
        approvals.check_answer(QUESTION, person, at)

    assert caught.value.status == status


@pytest.mark.parametrize("person", [Person(id="0wner"), Person(id="other", roles=("Owner",))])
def test_owners_may_answer(person: Person) -> None:
    approvals.check_answer(QUESTION, person, NOW)
