"""What one action plans and does for the subscription of an exercise that was just attacked."""

from typing import Any

from playbooks.dispatch import subjects
from responders.action import Action
from responders.azure import explained
from responders.model import Change, Outcome, Plan
from sandbox.azure.world import Resource
from tests.laws.stage import Attacked

PROD = "/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
AUTHORIZATION = "/providers/Microsoft.Authorization"


async def planned(there: Attacked, action: Action, **fields: Any) -> Plan:
    """The plan of a case, with other values in some of its fields."""
    there.case = there.case.having(**fields)
    [subject] = [s for s in subjects(there.case) if s.kind == "subscription"]
    with explained("planning"):
        return await action.plan(there.case, subject, there.azure)


async def applied(there: Attacked, action: Action, change: Change) -> Outcome:
    """What one attempt comes to."""
    with explained(change.summary):
        return await action.apply(change, there.azure)


async def done(there: Attacked, action: Action, change: Change) -> Outcome:
    """What it comes to in the end, as often as the engine would try, and seen to show."""
    outcome = await there.until_settled(action.apply, change)
    if outcome.status in {"done", "already_so"}:
        await there.until_settled(action.verify, change)
    return outcome


def of(plan: Plan, resource: str) -> Change:
    """The change of a plan for that resource."""
    return next(c for c in plan.changes if c.resource.lower() == resource.lower())


def stands(there: Attacked, id_: str) -> Resource:
    """A resource that there is."""
    found = there.sandbox.world.get(id_)
    assert found
    return found


def plant(there: Attacked, id_: str, **properties: Any) -> None:
    """Put something into the world, or change properties of what is there, as nobody in particular."""
    world = there.sandbox.world
    old = world.get(id_)
    kind = id_.rsplit("/providers/", 1)[1].rsplit("/", 1)[0]
    body: dict[str, Any] = old.body if old else {"type": kind, "properties": {}}
    world.put(id_, {**body, "properties": {**body["properties"], **properties}})
