"""A guest whom a suspect invited goes; whose home it is that has to be told is said."""

from responders.guests.remove import Remove, home
from responders.model import Subject
from responders.users.enable import Enable
from tests.responders.users.tenant import tenant
from tests.sandbox.estate import CHIEF, GUEST, MALLORY

ACTION = Remove()
INVITED = "help_fabrikam.example#EXT#@contoso.example"
INVITATION = {"invitedUserEmailAddress": "help@fabrikam.example", "inviteRedirectUrl": "https://portal.azure.com"}


async def test_a_guest_of_a_suspect_goes_and_comes_back() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.later(minutes=1)
        await its.does(MALLORY, "POST", "/invitations", INVITATION)
        planted = its.state()

        plan = await its.plan(ACTION, INVITED)
        assert [(c.action, c.familiarity) for c in plan.changes] == [("guests.remove", "unfamiliar")]
        assert "fabrikam.example" in plan.changes[0].reasons[-1]
        assert await its.apply(ACTION, *plan.changes) == ["done"]
        assert its.sandbox.world.directory.find(INVITED) is None
        assert await its.undo(ACTION, *plan.changes) == ["done"]

        assert its.state() == planted


async def test_a_guest_whom_somebody_else_invited_in_the_window_is_offered_by_name() -> None:
    async with tenant(*ACTION.permissions) as its:
        its.later(minutes=1)
        await its.does(CHIEF, "POST", "/invitations", INVITATION)

        assert [c.familiarity for c in (await its.plan(ACTION, INVITED)).changes] == ["unknown"]


async def test_a_guest_who_was_there_before_is_kept_and_his_home_is_named() -> None:
    async with tenant(*ACTION.permissions) as its:
        entry = its.sandbox.world.directory.find(GUEST)
        assert entry
        entry["createdDateTime"] = "2024-01-01T00:00:00Z"
        subject = Subject(kind="guest", id=entry["id"], name="pat_fabrikam.example#EXT#@contoso.example")

        plan = await ACTION.plan(its.case, subject, its.azure)

        assert plan.changes == ()
        assert "signs in at fabrikam.example" in plan.kept[-1]


async def test_a_guest_is_not_let_in_again_here() -> None:
    async with tenant(*Enable.permissions) as its:
        entry = its.sandbox.world.directory.find(GUEST)
        assert entry
        entry["accountEnabled"] = False

        assert (await Enable().plan(its.case, its.subject(GUEST), its.azure)).changes == ()


def test_where_a_guest_is_at_home() -> None:
    assert home("pat_lee_fabrikam.example#EXT#@contoso.example") == "fabrikam.example"
    assert home("pat@contoso.example") == ""
