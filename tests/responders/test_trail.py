"""Who gave what to whom, by Entra's audit log."""

import asyncio

from msgspec.structs import replace

from responders import trail
from responders.model import Finding
from tests.responders.users.tenant import Tenant, tenant
from tests.sandbox.estate import ADMIN, MALLORY, NOW

ADDED = ["Add member to group"]


async def _entry(its: Tenant, group: str = "operators") -> trail.Entry | None:
    log = await trail.of_target(its.azure, its.case, its.graph.id(MALLORY))
    return log.last(ADDED, its.graph.id(MALLORY), its.group(group))


async def test_the_newest_deed_counts() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        its.sandbox.world.directory.owners[its.group("operators")] = [its.graph.id(MALLORY)]
        await its.joins(MALLORY, MALLORY, "operators")
        its.later(minutes=1)
        member = f"/groups/{its.group('operators')}/members/{its.graph.id(MALLORY)}/$ref"
        await its.does(ADMIN, "DELETE", member)
        its.later(minutes=1)
        await its.joins(ADMIN, MALLORY, "operators")

        entry = await _entry(its)

        assert entry is not None
        assert (entry.by, entry.name) == (its.graph.id(ADMIN), ADMIN)
        assert trail.verdict(its.case, entry).familiarity == "unknown"


async def test_a_deed_about_another_group_is_not_taken_for_it() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        await its.joins(ADMIN, MALLORY, "operators")

        assert await _entry(its, "on call") is None


async def test_nobody_in_the_log_is_no_proof_until_the_log_must_tell() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        log = await trail.of_target(its.azure, its.case, its.graph.id(MALLORY))

        soon = trail.absent(its.case, log, "/groups/a/members/b")
        told = trail.absent(its.case.having(settled=("/groups/a/members/b",)), log, "/groups/a/members/b")
        came_since = trail.absent(its.case.having(late=True), log, "/groups/a/members/b")

        assert (soon.familiarity, soon.awaits) == ("unknown", "/groups/a/members/b")
        assert (told.familiarity, told.awaits) == ("familiar", "")
        assert (came_since.familiarity, came_since.awaits) == ("unknown", "")


async def test_a_log_that_a_tenant_has_no_license_for_proves_nothing() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        its.sandbox.world.directory.audits_refused = True
        log = await trail.of_target(its.azure, its.case, its.graph.id(MALLORY))

        verdict = trail.absent(its.case.having(settled=("x",)), log, "x")

        assert (verdict.familiarity, verdict.awaits) == ("unknown", "")
        assert "for want of a license" in verdict.reasons[0]


async def test_what_failed_gave_nothing() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        await its.joins(ADMIN, MALLORY, "operators")
        its.sandbox.world.directory.audits[-1]["result"] = "failure"

        assert await _entry(its) is None


async def test_what_the_owner_of_a_stolen_session_did_from_his_usual_network_is_unknown() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        its.sandbox.world.directory.owners[its.group("operators")] = [its.graph.id(MALLORY)]
        await its.joins(MALLORY, MALLORY, "operators")
        its.sandbox.world.directory.audits[-1]["initiatedBy"]["user"]["ipAddress"] = "203.0.113.10"
        usual = Finding(
            rule="other",
            reason="",
            at=NOW,
            operation="o",
            resource="r",
            caller=its.graph.id(MALLORY),
            address="203.0.113.10",
            usual=True,
        )
        case = its.case.having(alert=replace(its.case.alert, addresses=("198.51.100.7",)))

        entry = await _entry(its)

        assert entry is not None
        assert trail.verdict(case, entry).familiarity == "unfamiliar"
        assert trail.verdict(case.having(findings=(usual,)), entry).familiarity == "unknown"


async def test_those_who_ask_side_by_side_read_the_log_once() -> None:
    async with tenant(*trail.PERMISSIONS) as its:
        first = len(its.sandbox.requests)

        await asyncio.gather(*(trail.of_activity(its.azure, its.case, ADDED[0]) for _ in range(50)))

        assert len([r for r in its.sandbox.requests[first:] if "directoryAudits" in r.path]) == 1
