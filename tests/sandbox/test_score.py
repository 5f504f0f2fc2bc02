"""The score: what a response left, touched and restored, said in sentences."""

import pytest

from sandbox.exercise import Expect, LogIn
from sandbox.score import Json, State, restored, tally

RUNBOOK = "/subscriptions/s/resourcegroups/g/providers/microsoft.automation/automationaccounts/a/runbooks/evil"
HONEST = "/subscriptions/s/resourcegroups/g/providers/microsoft.automation/automationaccounts/a/runbooks/nightly"
JOB = "/subscriptions/s/resourcegroups/g/providers/microsoft.automation/automationaccounts/a/jobs/1"
VM = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/web"
USER = "/users/11111111-2222-4333-8444-555555555555"
NAMES = {"mallory@contoso.example": "11111111-2222-4333-8444-555555555555"}


def world() -> dict[str, Json]:
    return {
        RUNBOOK: {"type": "Microsoft.Automation/automationAccounts/runbooks", "properties": {"state": "Published"}},
        f"{RUNBOOK}/content": {"text": "bad"},
        HONEST: {"type": "Microsoft.Automation/automationAccounts/runbooks", "properties": {"state": "Published"}},
        JOB: {"type": "Microsoft.Automation/automationAccounts/jobs", "properties": {"status": "Running"}},
        VM: {"type": "Microsoft.Compute/virtualMachines", "tags": {"a": "b"}, "sandbox": {"power": "running"}},
        USER: {"accountEnabled": True, "displayName": "Mallory"},
    }


def expect(*evicted: str, kept: tuple[str, ...] = ()) -> Expect:
    return Expect(evicted=evicted, kept=kept, alert="resolved")


def without(state: State, *keys: str) -> State:
    return {key: body for key, body in state.items() if key not in keys}


def test_what_is_gone_with_all_beneath_it_is_evicted_and_the_rest_is_kept() -> None:
    found = tally(expect(RUNBOOK.upper()), world(), without(world(), RUNBOOK, f"{RUNBOOK}/content"), NAMES)
    assert (found.evicted, found.kept, found.failures) == ((1, 1), (4, 4), ())


def test_a_custom_role_is_the_same_by_whatever_scope_it_is_named() -> None:
    role = "/providers/microsoft.authorization/roledefinitions/1"
    found = tally(expect(f"/subscriptions/S{role}"), {role: {}}, {}, NAMES)
    assert (found.evicted, found.failures) == ((1, 1), ())


@pytest.mark.parametrize(("kept", "touched"), [((), False), ((USER,), True)])
def test_who_is_accused_may_get_another_password_unless_he_is_to_be_kept(kept: tuple[str, ...], touched: bool) -> None:  # noqa: FBT001
    before, after = ({**world(), f"{USER}/password": {"hash": n}} for n in (1, 2))
    accused = USER.rpartition("/")[2]
    for whom, bad in (((accused,), touched), ((), True)):
        found = tally(expect(kept=kept), before, after, NAMES, accused=whom)
        assert bool(found.failures) == bad
    dismissed = Expect(alert="dismissed")
    assert tally(dismissed, before, after, NAMES, accused=(accused,)).failures


def test_the_secrets_of_an_accused_application_may_go() -> None:
    id_ = "22222222-2222-4333-8444-555555555555"
    app = {"appId": "33333333-2222-4333-8444-555555555555"}
    before = {f"/servicePrincipals/{id_}": app, "/applications/1": app, "/applications/1/passwordCredentials/a": {}}
    after = without(before, "/applications/1/passwordCredentials/a")
    assert tally(expect(), before, after, NAMES, accused=(id_,)).failures == ()
    assert tally(expect(), before, after, NAMES).failures


def test_what_was_changed_beneath_a_thing_is_named_where_the_thing_was_not() -> None:
    nsg = "/subscriptions/s/nsg"
    before: State = {nsg: {}, f"{nsg}/securityrules/ssh": {}}
    found = tally(Expect(reverted=(nsg,), alert="resolved"), before, {nsg: {}}, NAMES, innocent={nsg: {}})
    assert found.failures[0].endswith(f"It changed what lies beneath: name {nsg}/securityrules/ssh.")


def test_what_is_still_there_is_named() -> None:
    found = tally(expect(RUNBOOK), world(), world(), NAMES)
    assert found.evicted == (0, 1)
    assert found.failures == (f"Left: {RUNBOOK} is still there and works.",)


@pytest.mark.parametrize(
    ("id_", "key", "change"),
    [
        ("/users/mallory@contoso.example", USER, {"accountEnabled": False}),
        (USER, USER, {"accountEnabled": False}),
        (VM, VM, {"sandbox": {"power": "deallocated"}}),
        (VM, VM, {"sandbox": {"power": "stopped"}}),
        (JOB, JOB, {"properties": {"status": "Stopped"}}),
    ],
)
def test_a_neutralised_one_counts_as_evicted(id_: str, key: str, change: Json) -> None:
    after = world()
    after[key] |= change
    found = tally(expect(id_), world(), after, NAMES)
    assert (found.evicted, found.failures) == ((1, 1), ())


def test_of_a_neutralised_one_nothing_else_may_change() -> None:
    after = world()
    after[VM] |= {"sandbox": {"power": "deallocated"}, "tags": {}}
    found = tally(expect(VM), world(), after, NAMES)
    assert found.failures == (f'Touched: {VM}: tags.a was "b", is null.',)


def test_a_deleted_user_is_evicted_though_the_recycle_bin_holds_him() -> None:
    after = {**without(world(), USER), USER.replace("/users/", "/directory/deletedItems/"): {"displayName": "Mallory"}}
    assert tally(expect(USER), world(), after, NAMES).failures == ()


def test_whatever_else_is_changed_gone_or_new_is_named() -> None:
    after = {**without(world(), VM), "/subscriptions/s/new": {}}
    after[HONEST] = {**world()[HONEST], "properties": {"state": "Edit"}}
    found = tally(expect(), world(), after, NAMES)
    assert found.kept == (4, 6)
    assert found.failures == (
        f'Touched: {HONEST}: properties.state was "Published", is "Edit".',
        f"Touched: {VM}: is gone.",
        "Touched: /subscriptions/s/new appeared.",
    )


def test_a_machine_that_was_not_to_be_stopped_is_touched() -> None:
    after = world()
    after[VM] |= {"sandbox": {"power": "deallocated"}}
    assert tally(expect(), world(), after, NAMES).kept == (5, 6)


def test_ids_that_never_existed_are_slips_of_the_pen() -> None:
    found = tally(expect("/subscriptions/s/a", kept=("/subscriptions/s/b",)), world(), world(), NAMES)
    assert found.evicted == (0, 1)
    assert [f.split(" is to be")[0] for f in found.failures] == ["/subscriptions/s/a", "/subscriptions/s/b"]


def test_undo_restores_when_nothing_differs_but_the_jobs_that_were_stopped() -> None:
    after = world()
    after[JOB]["properties"] = {"status": "Stopped"}
    assert restored(world(), after) == ()


def test_what_undo_left_is_named() -> None:
    after = without(world(), RUNBOOK)
    assert restored(world(), after) == (f"Undo: {RUNBOOK}: is gone.",)


def test_an_enabled_account_is_evicted_when_nothing_of_the_thiefs_leads_into_it() -> None:
    assert tally(expect(USER), world(), world(), NAMES, {USER}).failures == ()
    assert tally(expect(USER), world(), world(), NAMES).failures == (f"Left: {USER} is still there and works.",)


def test_of_an_account_that_is_given_back_the_password_alone_may_differ() -> None:
    before = world() | {f"{USER}/password": {"sha256": "old"}, f"{USER}/authentication/fido2Methods/k": {"id": "k"}}
    after = {**before, f"{USER}/password": {"sha256": "new"}}
    back = Expect(returned=(USER,), alert="resolved")
    assert tally(back, before, after, NAMES).failures == ()
    found = tally(back, before, without(after, f"{USER}/authentication/fido2Methods/k"), NAMES)
    assert found.failures == (f"Touched: {USER}/authentication/fido2Methods/k: is gone.",)


def test_what_hung_on_somebody_who_is_gone_went_with_him() -> None:
    oid = USER.rpartition("/")[2]
    member, other = f"/groups/g/members/{oid}", "/groups/g/members/22222222-2222-4333-8444-555555555555"
    before = world() | {member: {"id": oid}, other: {"id": "2"}}
    assert tally(expect(USER), before, without(before, USER, member), NAMES).failures == ()
    assert tally(expect(USER), before, without(before, USER, other), NAMES).failures == (f"Touched: {other}: is gone.",)
    disabled = {**without(before, member), USER: {**world()[USER], "accountEnabled": False}}
    assert tally(expect(USER), before, disabled, NAMES).failures == (f"Touched: {member}: is gone.",)


def test_undo_may_leave_different_what_was_changed_for_good_and_nothing_else() -> None:
    secret, password = "/applications/a/passwordCredentials/backup", f"{USER}/password"
    before = world() | {secret: {"keyId": "k"}, password: {"sha256": "old"}}
    after = {**without(before, secret), password: {"sha256": "new"}}
    assert restored(before, after, {"/applications/a/passwordCredentials/", password}) == ()
    assert restored(before, after, {password}) == (f"Undo: {secret}: is gone.",)
    assert restored(before, after, {"/applications/a/passwordCredentials/", USER})[0].startswith(f"Undo: {password}")


def test_what_is_again_as_before_the_attack_counts_as_evicted_or_kept() -> None:
    before = {**world(), HONEST: {**world()[HONEST], "properties": {"state": "Edit"}}}
    for what in (expect(HONEST), expect(kept=(HONEST,)), expect()):
        assert tally(what, before, world(), NAMES, innocent=world()).failures == ()
        left = tally(what, before, {**before, HONEST: {}}, NAMES, innocent=world())
        assert len(left.failures) == (2 if what.evicted else 1)


def test_what_an_attack_deleted_may_come_back_and_what_honest_people_made_may_not_go() -> None:
    was, before = world(), without(world(), HONEST)
    assert tally(expect(), before, was, NAMES, innocent=was).failures == ()
    assert tally(expect(), was, before, NAMES, innocent=was).failures != ()


def test_the_secret_of_an_application_is_part_of_its_evicted_principal() -> None:
    app, principal = "/applications/a", "/servicePrincipals/b"
    before: State = {app: {"appId": "1"}, f"{app}/passwordCredentials/x": {}, principal: {"appId": "1"}}
    after: State = {app: {"appId": "1"}, principal: {"appId": "1", "accountEnabled": False}}
    assert tally(expect(principal), before, after, {}).failures == ()
    assert tally(expect(), before, after, {}).failures != ()


def test_what_goes_back_to_what_it_was_before_the_attack_is_not_touched() -> None:
    innocent, before, after = world(), world(), world()
    before[VM] |= {"identity": {"type": "UserAssigned"}}
    after[VM] |= {"sandbox": {"power": "deallocated"}}
    assert tally(expect(VM), before, after, NAMES, innocent=innocent).failures == ()
    after[VM] |= {"identity": {"type": "None"}}
    assert "identity.type" in tally(expect(VM), before, after, NAMES, innocent=innocent).failures[0]


def test_in_a_machine_that_stays_in_the_network_the_ways_in_may_be_shut_and_nothing_else() -> None:
    way = LogIn(machine=VM, user="azadmin", password="Thief-was-here-1")
    before, after = world(), world()
    for side, word in ((before, "a"), (after, "b")):
        side[f"/guests{VM}"] = {"type": "guest", "files": {"/etc/shadow": {"text": f"azadmin:{word}:1:0:9:7:::"}}}
    wanted = Expect(evicted=(), locked_out=(way,), alert="resolved")
    after[f"{VM}/runcommands/countersign-accounts-1"] = {"type": "x"}
    assert tally(wanted, before, after, NAMES).failures == ()
    after[f"{VM}/runcommands/other"] = {"type": "x"}
    after[f"/guests{VM}"]["files"]["/etc/motd"] = {"text": "x"}
    assert len(tally(wanted, before, after, NAMES).failures) == 2


def test_what_a_scanner_sets_aside_by_its_own_policy_is_its_own() -> None:
    there = {"/usr/bin/m": {"text": "COUNTERSIGN-SANDBOX-MALWARE:Linux.Miner"}, "/etc/motd": {"text": "hi"}}
    aside = {"/var/opt/microsoft/mdatp/quarantine/1-m": there["/usr/bin/m"], "/etc/motd": there["/etc/motd"]}
    before, after = ({f"/guests{VM}": {"type": "guest", "files": files}} for files in (there, aside))
    assert restored(before, after) == ()
    after[f"/guests{VM}"] = {"type": "guest", "files": {**aside, "/etc/motd": {"text": "other"}}}
    assert len(restored(before, after)) == 1


def test_a_disk_that_was_in_a_machine_that_is_gone_is_in_none_and_else_as_before() -> None:
    disk = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/disks/data"
    held = {
        "type": "Microsoft.Compute/disks",
        "managedBy": VM.upper(),
        "properties": {"diskState": "Attached", "diskSizeGB": 4},
    }
    free = {"type": "Microsoft.Compute/disks", "properties": {"diskState": "Unattached", "diskSizeGB": 4}}
    before = {**world(), disk: held}
    assert tally(expect(VM), before, {**without(before, VM), disk: free}, NAMES).failures == ()
    (other,) = tally(expect(VM), before, {**without(before, VM), disk: {**free, "tags": {}}}, NAMES).failures
    assert other.startswith(f"Touched: {disk}")
    (gone,) = tally(expect(VM), before, without(before, VM, disk), NAMES).failures
    assert "is gone" in gone
    (kept,) = tally(
        expect(RUNBOOK), before, {**without(before, RUNBOOK, f"{RUNBOOK}/content"), disk: free}, NAMES
    ).failures
    assert kept.startswith(f"Touched: {disk}")  # its machine is there


def test_undo_may_leave_a_stopped_machine_deallocated_and_nothing_else_of_it_changed() -> None:
    def power(power: str, **more: str) -> dict[str, Json]:
        return {**world(), VM: {**world()[VM], "sandbox": {"power": power, **more}}}

    assert restored(power("stopped"), power("deallocated")) == ()
    assert restored(power("deallocated"), power("stopped"))
    assert restored(power("stopped"), power("running"))
    assert restored(power("stopped"), power("deallocated", rebuilt="1"))
