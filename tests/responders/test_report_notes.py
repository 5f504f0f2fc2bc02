"""What the log can't tell stands in the report."""

from responders.evidence import Evidence
from responders.investigation.findings import told
from tests.responders.investigation.test_elevation import LOG, elevated
from tests.responders.investigation.watched import watched
from tests.responders.investigation.weeks import did, seen, weeks
from tests.responders.seen import page
from tests.responders.story import WHERE, Story
from tests.sandbox.arm import S


async def text(*notes: str) -> str:
    """The page of an incident whose investigation had these notes."""
    story = Story(Evidence.at("memory://"))
    story.case = story.case.having(notes=notes)
    await story.alerted()
    await story.examined()
    await story.investigated(WHERE)
    await story.closed("resolved")
    return (await page(story.incident)).text


async def test_that_reads_leave_no_trace() -> None:
    found = told(seen([*weeks(), did()]), "ARM_MicroBurst.AzDomainInfo")
    said = await text(*found.notes)
    assert "What the log does not tell" in said
    assert "Azure's Activity Log holds no reads, so what it read can't be seen here" in said
    assert "that none is listed does not mean that there was none" in said


async def test_that_too_little_is_known_to_call_anything_new() -> None:
    assert "Nothing was held to be new." in await text(*told(seen([did()])).notes)


async def test_that_the_tenants_own_log_was_not_read() -> None:
    async with watched(LOG, scopes=[S]) as view:
        notes = (await elevated(view)).notes
    assert "not known whether somebody took access to all subscriptions (elevateAccess)" in await text(*notes)


async def test_nothing_of_the_kind_where_the_log_tells_all() -> None:
    assert "What the log does not tell" not in await text()
