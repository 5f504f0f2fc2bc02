"""Access to everything, taken at the root: only the tenant's own log tells, where the responder may read it."""

from datetime import timedelta

from responders.investigation import azure_monitor
from responders.investigation.findings import Found, findings
from responders.model import Actor, Alert, Case, Principal
from tests.responders.investigation.watched import DAY, Watched, watched
from tests.sandbox.arm import AUTH, CHIEF, MALLORY, NOW, SUB, S

LOG = azure_monitor.PERMISSIONS
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


async def elevated(view: Watched) -> Found:
    """What is found after an administrator took access to everything, and then gave a role at the root."""
    chief = view.call.oid(CHIEF)
    await view.done(1)
    assert (await view.call("POST", f"{AUTH}/elevateAccess", who=CHIEF, version="2016-07-01")).status == 200
    view.clock.advance(timedelta(minutes=9))
    grant = {"roleDefinitionId": f"{AUTH}/roleDefinitions/{OWNER}", "principalId": view.call.oid(MALLORY)}
    root = f"{AUTH}/roleAssignments/aaaaaaaa-0000-4000-8000-000000000001"
    made = await view.call("PUT", root, {"properties": grant}, who=CHIEF, version="2022-04-01")
    assert made.status == 201, made.body
    view.clock.advance(timedelta(hours=1))
    alert = Alert(
        name="a", type="t", title="", severity="High", status="Active", start=NOW, end=NOW, actors=(Actor(id=chief),)
    )
    case = Case(
        incident="i",
        alert=alert,
        subscription=SUB,
        tenant="",
        suspects=(Principal(id=chief, kind="user", upn=CHIEF),),
        since=NOW - DAY,
        until=view.clock.now(),
    )
    return await findings(view.azure, view.azure.settings, case, now=view.clock.now())


async def test_where_the_tenants_log_may_be_read_elevation_is_a_finding_of_the_suspect() -> None:
    async with watched(LOG, scopes=[S, "/"]) as view:
        found = await elevated(view)

    taken, given = found.findings
    assert (taken.rule, taken.level, taken.suspect) == ("access-elevated", "suspicious", True)
    assert taken.reason == f"{CHIEF} took access to all subscriptions of the tenant"
    assert (given.operation, given.level) == ("microsoft.authorization/roleassignments/write", "suspicious")
    for one in (taken, given):  # one chain, and each shows the events of both
        chain = next(point for point in one.points if point.signal == "chain")
        assert chain.reason == "access to everything was taken, and then a role assigned"
        assert {*taken.events, *given.events} <= set(chain.events)
    assert not any("tenant's own Activity Log" in note for note in found.notes)


async def test_where_it_may_not_be_read_the_report_says_so() -> None:
    async with watched(LOG, scopes=[S]) as view:
        found = await elevated(view)

    assert found.findings == ()  # the log of the subscription has none of it
    (note,) = [note for note in found.notes if "tenant's own Activity Log was not read" in note]
    assert "not known whether somebody took access to all subscriptions (elevateAccess)" in note
    assert "403" in note
