"""Who lost a role that keeps a door open counts as one who stays again once that is undone, and not before."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from playbooks import changes
from responders.claims import Claims
from responders.evidence import Evidence
from responders.model import Change, Outcome, Plan, Subject

AT = datetime(2026, 11, 24, tzinfo=UTC)
CHANGE = Change(action="users.disable", resource="/users/anna", summary="block sign-in of anna", principals=("anna",))
PLAN = Plan(action=CHANGE.action, subject=Subject(kind="user", id="anna"), changes=(CHANGE,))


async def gone(outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Who counts as gone for another incident, after the undo of a change came to this."""

    async def undo(_change: Change, _azure: Any) -> Outcome:
        return outcomes.pop(0)

    async def nothing(*_: Any) -> None:
        return None

    claims = Claims(Evidence.at("memory://"))
    await claims.make(f"inc inc-0-1 {CHANGE.id}", ["door"], ["anna"], AT)
    its: Any = SimpleNamespace(
        incident=lambda id_: SimpleNamespace(id=id_),
        azure=SimpleNamespace(settings=SimpleNamespace(subscriptions=("s",))),
        claims=claims,
    )
    monkeypatch.setattr(changes, "action", lambda _: SimpleNamespace(undo=undo))
    for name in ("_status", "_guard", "_note"):
        monkeypatch.setattr(changes, name, nothing)

    await changes.undo_one(its, PLAN, CHANGE, {"incident": "inc", "step": "inc-u1-1", "at": AT.isoformat()})

    claim = await claims.make("other 1 x", ["door"], ["bert"], AT)
    return set(claim.gone.get("door", ()))


async def test_undone_it_holds_no_door(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await gone([Outcome(status="done"), Outcome(status="already_so")], monkeypatch) == set()


async def test_while_it_is_not_undone_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await gone([Outcome(status="failed")], monkeypatch) == {"anna"}
