"""What is explained of that which was done, and what a person has to sign for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from responders import accounting
from responders.model import Alert, Case, Change, Finding, Known

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
PROD = "/subscriptions/11111111-1111-4111-8111-111111111111"
ACCOUNT = f"{PROD}/resourceGroups/rg-ops/providers/Microsoft.Automation/automationAccounts/aa"
RUNBOOK, HOOK = f"{ACCOUNT}/runbooks/Sync", f"{ACCOUNT}/webhooks/sync"
STORAGE = f"{PROD}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/st"


def did(resource: str, operation: str = "x/write", **fields: Any) -> Finding:
    said: dict[str, Any] = {"rule": "other", "reason": "mallory did it", "at": NOW, "caller": "mallory"}
    return Finding(**{**said, "operation": operation, "resource": resource, "events": ("e",), **fields})


def case(*findings: Finding, **fields: Any) -> Case:
    alert = Alert(name="n", type="t", title="t", severity="High", status="Active", start=NOW, end=NOW)
    said: dict[str, Any] = {"incident": "i", "alert": alert, "subscription": PROD.rsplit("/", 1)[-1], "tenant": "t"}
    return Case(**{**said, "suspects": (), "since": NOW, "until": NOW, "findings": findings, **fields})


def change(resource: str, **before: Any) -> Change:
    return Change(action="x.y", resource=resource, summary="remove it", before=before)


def left(what: Case, *made: Change) -> list[str]:
    return [finding.resource for finding in accounting.account(what, made)]


def test_what_a_change_removed_is_explained_with_all_beneath_it() -> None:
    assert left(case(did(RUNBOOK), did(f"{RUNBOOK}/draft/content")), change(RUNBOOK)) == []
    assert left(case(did(RUNBOOK.lower()), did(ACCOUNT)), change(RUNBOOK)) == [ACCOUNT]


def test_what_a_change_removed_together_with_its_resource_is_explained() -> None:
    assert left(case(did(HOOK)), change(RUNBOOK, webhooks=[{"id": HOOK}])) == []


def test_a_body_that_an_intruder_wrote_explains_nothing_elsewhere() -> None:
    assert left(case(did(STORAGE), did(ACCOUNT)), change(RUNBOOK, tags={"id": STORAGE}, x={"id": ACCOUNT})) == [
        STORAGE,
        ACCOUNT,
    ]


def test_without_a_change_it_is_unexplained() -> None:
    assert left(case(did(STORAGE, "listkeys/action"))) == [STORAGE]


def test_what_failed_is_explained() -> None:
    assert left(case(did(STORAGE, outcome="failed"))) == []


def test_an_owner_s_word_explains_that_very_thing() -> None:
    said = Known(id=STORAGE.upper(), because="said so by olga", by="olga")
    declared = Known(id=RUNBOOK, because="COUNTERSIGN_FAMILIAR")

    assert left(case(did(STORAGE), did(RUNBOOK), known=(said, declared))) == [RUNBOOK]


def test_the_same_thing_done_often_is_one_line_and_the_gravest_comes_first() -> None:
    often = [did(STORAGE, at=NOW + timedelta(minutes=n), events=(str(n),)) for n in range(3)]
    plan = accounting.to_sign(case(), [*often, did(RUNBOOK, score=9)])

    assert [c.resource for c in plan.changes] == [RUNBOOK, STORAGE]
    assert "3 times" in plan.changes[1].summary
    assert plan.changes[1].before["events"] == ["0", "1", "2"]


def test_what_does_not_fit_is_counted() -> None:
    plan = accounting.to_sign(case(), [did(f"{STORAGE}{n}") for n in range(accounting.MOST + 2)])

    assert len(plan.changes) == accounting.MOST
    assert plan.kept[0].startswith("2 more")


def test_nothing_unexplained_needs_nobody() -> None:
    assert accounting.to_sign(case(), []).changes == ()


def test_an_address_for_a_webhook_leads_nowhere_by_itself() -> None:
    asked = did(f"{ACCOUNT}/webhooks", "Microsoft.Automation/automationAccounts/webhooks/action")
    assert left(case(asked, did(HOOK, "Microsoft.Automation/automationAccounts/webhooks/write"))) == [HOOK]
