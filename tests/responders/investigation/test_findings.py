"""What an investigation tells."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from playbooks import dispatch
from responders.investigation import findings as module
from responders.investigation import sources
from responders.investigation import window as window_module
from responders.investigation.activity import Activity
from responders.investigation.findings import findings as read
from responders.investigation.findings import told
from responders.investigation.join import UNDATED
from responders.model import Alert, Case, Finding
from sandbox.scene import EXERCISES
from sandbox.world_file import Call
from tests.laws.stage import attacked
from tests.responders.investigation.activities import AT, SUBSCRIPTION
from tests.responders.investigation.weeks import (
    AWAY,
    HOUR,
    NORA,
    OMAR,
    RESTART,
    RUN,
    SINCE,
    did,
    resource,
    seen,
    suspect,
    weeks,
)

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
VM = resource("Microsoft.Compute/virtualMachines", "vm-1")


def owner_for_all(**fields: Any) -> Activity:
    asked = {"properties": {"roleDefinitionId": f"/x/{OWNER}", "principalId": OMAR}}
    where = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/r"
    return did("microsoft.authorization/roleassignments/write", resource=where, request=asked, **fields)


def omar(operation: str, **fields: Any) -> Activity:
    return did(operation, oid=OMAR, caller="omar@contoso.example", **fields)


def findings(*activities: Activity, alert: str = "", **fields: Any) -> tuple[Finding, ...]:
    return told(seen(activities, **fields), alert).findings


def test_all_that_suspects_did_is_told_in_order_of_time() -> None:
    found = findings(did(after=3), did(RUN, after=1), did(after=2, outcome="failed"), *weeks())
    assert [(f.operation, f.outcome) for f in found] == [
        (RUN, "succeeded"),
        (RESTART, "failed"),
        (RESTART, "succeeded"),
    ]
    assert all(f.suspect for f in found)


def test_a_finding_says_who_from_where_by_what_rule_and_why() -> None:
    (found,) = findings(did(RUN, address=AWAY, tid="t1", resource=VM), *weeks())
    assert (found.rule, found.level, found.score) == ("vm-command-run", "suspicious", 12)
    assert (found.caller, found.name, found.address, found.tenant) == (NORA, "nora@contoso.example", AWAY, "t1")
    assert found.reason == "nora@contoso.example ran a command on a virtual machine"
    assert found.techniques == ("T1651",)
    assert [point.signal for point in found.points] == ["rule", "new_operation", "new_network"]
    assert sum(point.points for point in found.points) == found.score
    assert all(set(found.events) <= set(point.events) for point in found.points)


def test_of_others_only_what_is_suspicious_is_told_and_as_not_the_suspects() -> None:
    theirs = weeks(oid=OMAR, caller="omar@contoso.example")
    found = findings(omar(RUN, address=AWAY), omar("microsoft.compute/snapshots/write"), omar(RESTART), *theirs)
    assert [(f.operation, f.address, f.suspect) for f in found] == [(RUN, AWAY, False)]


def test_suspects_are_known_by_any_of_their_names() -> None:
    activities = [
        did(oid="", after=1),
        did(caller="somebody", after=2),
        did(oid="", caller="app-1", after=3),
        omar(RESTART),
    ]
    who = suspect(upn="NORA@contoso.example", app_id="app-1")
    assert len(told(seen(activities, who)).findings) == 3


def test_who_became_a_suspect_is_one_from_then_on() -> None:
    who = suspect(since=SINCE + 5 * HOUR)
    assert [f.at for f in told(seen([did(after=4), did(after=6)], who)).findings] == [SINCE + 6 * HOUR]


def test_what_has_no_time_is_not_lost() -> None:
    assert len(findings(did(at=UNDATED), *weeks())) == 1


def test_what_the_responder_does_is_not_told() -> None:
    us = "dddddddd-1111-4222-8333-444444444444"
    assert told(seen([owner_for_all(oid=us, caller=us)], us=us.upper())).findings == ()
    assert len(told(seen([owner_for_all(oid=us, caller=us)])).findings) == 1


def test_the_order_of_the_log_does_not_matter() -> None:
    activities = [*weeks(), did(RUN, after=1, address=AWAY), owner_for_all(after=2), did(after=3), omar(RUN, after=4)]
    assert told(seen(activities)) == told(seen(reversed(activities)))


def test_too_little_before_is_said_and_nothing_is_new() -> None:
    known = told(seen([did(RUN, address=AWAY), *weeks(3), *weeks(oid=OMAR, caller="omar")]))
    assert [point.signal for point in known.findings[0].points] == ["rule", "suspect"]
    (note,) = known.notes
    assert note.startswith("Of nora@contoso.example the log before the window holds 6 activities of 3 days: too little")
    (note,) = told(seen([did(RUN)])).notes
    assert "holds 0 activities of 0 days: too little to tell what is new" in note
    assert told(seen([did(RUN), *weeks()])).notes == ()


def test_what_a_rule_knows_weighs_more_of_a_suspect_of_whom_nothing_else_is_known() -> None:
    high, medium, low = (
        did(operation, outcome="succeeded", after=n)
        for n, operation in enumerate(
            (RUN, "microsoft.authorization/roleassignments/write", "microsoft.compute/disks/delete")
        )
    )
    assert [f.level for f in findings(high, medium, low)] == ["suspicious", "notable", "none"]
    assert [point.signal for point in findings(high)[0].points] == ["rule", "suspect"]
    known = findings(high, *weeks(), *weeks(operation=RUN))  # what is usual for him is known, and speaks for itself
    assert [point.signal for point in known[0].points] == ["rule", "routine"]
    others = told(seen([omar(RUN)]), least="notable").findings  # nobody's suspect
    assert [(f.level, [p.signal for p in f.points]) for f in others] == [("notable", ["rule"])]


def test_less_than_suspicious_of_others_is_told_where_it_is_asked_for() -> None:
    its = seen([omar(RUN, after=1), omar("microsoft.authorization/elevateaccess/action", after=2), omar(RESTART)])
    assert [f.level for f in told(its).findings] == ["suspicious"]
    assert [f.level for f in told(its, least="notable").findings] == ["notable", "suspicious"]


@pytest.mark.parametrize(
    ("alert", "unseen"),
    [
        ("ARM_MicroBurst.AzDomainInfo", True),
        ("ARM_MicroBurst.AzureDomainInfo", True),
        ("ARM_PowerZure.GetAzureTargets", True),
        ("ARM_Azurite", True),
        ("arm_azurite", True),
        ("ARM_MicroBurst.AzVMBulkCMD", False),
        ("ARM_AnomalousOperation.Persistence", False),
    ],
)
def test_that_the_log_can_not_show_reads_is_said(alert: str, unseen: bool) -> None:  # noqa: FBT001
    notes = told(seen(weeks()), alert).notes
    assert any("holds no reads" in note for note in notes) is unseen


def test_suspicious_activities_of_others_are_told_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_OTHERS", 3)
    theirs = weeks(oid=OMAR, caller="omar@contoso.example")
    many = [omar(RUN, address=AWAY, after=n / 10) for n in range(10)]
    grave = omar("microsoft.authorization/elevateaccess/action", after=9)
    known = told(seen([*theirs, *many, grave]))
    assert len(known.findings) == 3
    assert grave.operation in {f.operation for f in known.findings}
    assert "8 more activities of others are suspicious, and are not listed." in known.notes


def test_what_is_kept_of_a_window_is_bounded_and_the_gravest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "MOST_OF_SUSPECTS", 50)
    its = seen([did(RUN, after=1), *(did(after=2 + n / 1000) for n in range(1000)), did(RUN, after=4)])
    known = told(its)
    assert len(known.findings) < 100
    assert sum(f.operation == RUN for f in known.findings) == 2
    left = 1002 - len(known.findings)
    assert any(
        f"more activities of the suspects than are kept: {left} that weigh least" in note for note in known.notes
    )


def test_bodies_are_not_kept() -> None:
    its = seen([owner_for_all()])
    ((trace, score),) = its.scored()
    assert trace.activity.request == {}
    assert trace.names == (OMAR,)
    assert score.value == 11


def test_only_the_suspects_doings_are_held_against_a_machine() -> None:
    ran = [did(RUN, resource=VM), omar(RUN, resource=VM.replace("vm-1", "vm-2"), address=AWAY)]
    ran.append(did(RUN, resource=VM.replace("vm-1", "vm-3"), outcome="failed"))
    found = findings(*ran, *weeks(oid=OMAR, caller="omar@contoso.example"), *weeks())
    assert len(found) == 3
    alert = Alert(name="a", type="t", title="", severity="Low", status="Active", start=AT, end=AT)
    case = Case(
        incident="i",
        alert=alert,
        subscription=SUBSCRIPTION,
        tenant="",
        suspects=(suspect(),),
        since=SINCE,
        until=AT,
        findings=found,
    )
    assert [s.name for s in dispatch.subjects(case) if s.kind == "vm"] == ["vm-1"]
    assert case.did(RUN, VM) is not None
    assert case.did(RUN, VM.replace("vm-1", "vm-2")) is None


def test_hostile_text_is_taken_as_text() -> None:
    nasty = "<script>' | union \x00\u202e" * 50
    (found,) = findings(
        did(f"a{nasty}/b/delete", resource=nasty, address=nasty, appid=nasty, status=nasty, uti=nasty), *weeks()
    )
    assert found.resource == nasty


WEEKS = EXERCISES / "three-honest-weeks.yaml"


def _touched(call: Call) -> str:
    path = call.target.partition("?")[0].lower()
    return path.rpartition("/")[0] if call.method == "post" else path


async def test_after_three_honest_weeks_an_attack_is_told_whole_and_nothing_else_is_suspicious() -> None:
    async with attacked(WEEKS, ()) as it:
        case, found, notes, scene = it.case, it.case.findings, it.case.notes, it.scene
    attack = [call for call in scene.exercise.attack if not call.target.startswith("graph:")]
    theirs = [f for f in found if f.address == attack[0].ip]
    assert len(attack) >= 30
    assert Counter(f.resource.lower() for f in theirs) == Counter(map(_touched, attack))
    for one in theirs:
        assert one.suspect
        assert one.level in {"suspicious", "notable"}
        assert one.points
        assert all(point.reason and point.events for point in one.points)
    assert sum(f.level == "suspicious" for f in theirs) >= 25
    honest = [f for f in found if f.address != attack[0].ip]
    assert {f.address for f in honest} == {"203.0.113.20"}  # her own work in the window; of others nothing is told
    assert {f.level for f in honest} == {"none"}
    assert not any("too little" in note for note in notes)
    [made] = [one for one in case.suspects if one.name == "Site Cost Sync"]
    assert made.because.startswith("nora@contoso.example made it")
    assert made.id in {subject.id for subject in dispatch.subjects(case)}


async def test_a_log_that_may_lack_the_latest_says_so_and_one_that_is_whole_does_not() -> None:
    async with attacked(WEEKS, sources.PERMISSIONS) as it:
        case, settings, now = it.case, it.azure.settings, it.sandbox.clock.now()
        last = max(f.at for f in case.findings if f.suspect)

        async def gap(until: datetime) -> str:
            return (await read(it.azure, settings, case.having(until=until), now=now)).gap

        assert "until shortly before" in await gap(last + timedelta(minutes=1))
        assert await gap(last + timedelta(hours=1)) == ""
        assert "is empty" in await gap(case.since)
