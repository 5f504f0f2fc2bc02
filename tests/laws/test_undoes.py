"""Each action that changes resources says what it undoes of that which the Activity Log has, and that is true."""

import pytest

from responders.accounting import Made, account
from responders.action import Action
from responders.actions import ACTIONS
from responders.model import Case, Change, Undoes
from tests.laws.stage import attacked, attacks, found

# They change resources, and undo nothing that the log has: with each, why.
UNDO_NOTHING = {
    "users.reset_password": "what it writes of resources is a secret of ours",
    "vms.isolate": "what was done in a machine that is cut off was done",
    "vms.deallocate": "as much",
    "vms.release": "it takes back what we did",
    "vms.capture_evidence": "it keeps what there is",
    "vms.retain_backups": "it keeps what there is",
    "vms.scan": "it only looks",
    "vms.list_accounts": "it only looks",
    "vms.reset_passwords": "whoever ran code in a machine left more than passwords",
    "vms.remove_shareable_links": "the log does not tell to which machines a link was made, nor does Azure list them",
}
CHANGING = [
    one for one in ACTIONS if any(r.startswith("Microsoft.") and not r.endswith("read") for r in one.permissions)
]
UNDOING = [one for one in ACTIONS if one.undoes != Undoes()]


def explained(action: Action, case: Case, changes: list[Change]) -> int:
    seen = frozenset(event for finding in case.findings for event in finding.events)
    made = [Made(change=c, undoes=action.undoes, seen=seen, until=case.until) for c in changes]
    return len(account(case, ())) - len(account(case, made))


@pytest.mark.parametrize("action", CHANGING, ids=lambda action: action.id)
def test_what_changes_resources_says_what_it_undoes(action: Action) -> None:
    assert (action.undoes == Undoes()) == (action.id in UNDO_NOTHING), (
        f"{action.id} changes resources: name the operations of the Activity Log that it undoes (Action.undoes), or "
        "say here why there are none. What no action undoes a person signs for."
    )


@pytest.mark.parametrize("action", UNDOING, ids=lambda action: action.id)
async def test_what_an_action_undoes_some_attack_does(action: Action) -> None:
    for file in attacks():
        if await found(action, file):
            async with attacked(file, action.permissions, before=action) as world:
                if explained(action, world.case, await world.plan(action)):
                    return
    pytest.fail(f"{action.id} explains no activity of any exercise: its operations are spelled otherwise, or miss.")
