"""How well a response did: what it was to evict, what it was to keep, and whether undo brought all of it back."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from sandbox import machines
from sandbox.differences import as_either, difference
from sandbox.exercise import Expect
from sandbox.machines import INSIDE

Json = dict[str, Any]
State = Mapping[str, Json]  # key -> body: a world's snapshot, and the jobs that are to be stopped

VM, JOB = "microsoft.compute/virtualmachines", "microsoft.automation/automationaccounts/jobs"
MACHINES = frozenset({VM, "microsoft.compute/virtualmachinescalesets/virtualmachines"})
STOPPED_JOB = frozenset({"Stopped", "Stopping", "Suspended"})
_COLLECTIONS = {
    name.lower(): name
    for name in (
        *("users", "groups", "servicePrincipals", "applications"),
        *("roleManagement", "appRoleAssignments", "oauth2PermissionGrants"),
    )
}
# What Azure makes anew with a resource, and what was inside it.
_NEW_EACH_TIME = frozenset(
    {
        *("vmId", "uniqueId", "resourceGuid", "timeCreated", "diskState", "provisioningState"),
        *("principalId", "clientId", "ipAddress", INSIDE),
    }
)
_NAMED = 3  # of several things, in a message
_ROLES = "/providers/microsoft.authorization/roledefinitions/"  # one of a tenant, wherever it is read
_BIN = "/directory/deletedItems/"
_CREDENTIAL = re.compile(r"^/applications/[^/]+/(?:password|key|federatedIdentity)Credentials/", re.IGNORECASE)
_PASSWORD = re.compile(r"^/users/[^/]+/password$")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What an exercise came to."""

    id: str
    title: str
    evicted: str  # "3/3": of those that had to go
    kept: str  # "41/41": of all else
    alert: str  # its state in Defender at the end
    approvals: int  # gates that people were asked to open
    named: int  # changes that ran since an approver named them: what they change was not known to be unfamiliar
    calls: int  # requests of the responder to Azure, from delivery to the end, undo left out
    seconds: float  # wall time of the same
    undone: bool | None  # whether undo restored the world; None where there was nothing to undo
    passed: bool
    failures: tuple[str, ...] = ()  # one sentence each


class Tally(msgspec.Struct, frozen=True):
    """What a comparison found."""

    evicted: tuple[int, int]
    kept: tuple[int, int]
    failures: tuple[str, ...]


def tally(
    expect: Expect,
    before: State,
    after: State,
    names: Mapping[str, str],
    shut: Collection[str] = (),
    innocent: State | None = None,
    accused: Collection[str] = (),
) -> Tally:
    """Compare the world after the attack with the world after the response.

    `names` gives the object id of a name in /users/<name>. `shut`: keys of identities into which nothing leads any more
    of what the attacker had. `innocent`: the world before the attack. `accused`: object ids of those as whom the attack
    acts and whom the alert names, whose secrets the attacker must be taken to have.
    """
    was = innocent or {}
    its = [key for key, body in before.items() if _type(body) in MACHINES]
    evicted = {key_of(text, names): text for text in expect.evicted}
    entered = {one.machine.lower() for one in expect.locked_out}
    its = [key for key in its if key in entered or _covered(key, evicted)]
    fresh = {key for key in its if machines.rebuilt(before, after, key)}
    ill = {key: machines.infected(after, key) for key in fresh}
    clean, there = {key for key in fresh if not ill[key]}, before.keys()
    before, after = machines.spared(before, after, its, expect.locked_out)
    before = machines.freed(before, after, [key for key in before if _covered(key, evicted)])
    reverted = {key_of(text, names): text for text in expect.reverted}
    kept = {key_of(text, names): text for text in expect.kept}
    known = () if expect.alert == "dismissed" else accused
    # A password may have been replaced; with an identity that is gone its memberships, roles and grants are, too.
    spare = {f"{key_of(text, names)}/password" for text in expect.returned}
    spare |= {f"{key}/password" for key in (f"/users/{oid}" for oid in known) if key not in kept}
    # What an application's secret opens is its service principal, whichever of the two is named.
    opened = [*evicted, *(key for key in (f"/servicePrincipals/{oid}" for oid in known) if key not in kept)]
    named = {before[key].get("appId") for key in opened if key in before and key.startswith("/servicePrincipals/")}
    apps = tuple(f"{key}/" for key, body in before.items() if _identity(key) and body.get("appId") in named - {None})
    spare |= {key for key in before if key.startswith(apps) and _CREDENTIAL.search(key)}
    # As it was before the attack is better than as the attack left it, whether or not anybody named it.
    healed = {
        key
        for key, body in was.items()
        if key.startswith("/subscriptions/") and before.get(key) != body and after.get(key) == body
    }
    gone = {key.rpartition("/")[2] for key in evicted if _identity(key) and key in before and key not in after}
    # The principal of a managed identity goes with its resource.
    owned = {key: of for key, body in before.items() if (of := _owned(body)) and of not in after}
    gone |= {key.rpartition("/")[2] for key, of in owned.items() if _covered(of, evicted)}
    gone |= {key.rpartition("/")[2] for key, body in before.items() if key not in was and _owned(body) in reverted}
    left = [
        f"{text} is to be evicted, and was never there: the attack didn't make it."
        if key not in before
        else f"Left: {text} {'was not stopped' if _type(before[key]) == JOB else 'is still there and works'}."
        for key, text in evicted.items()
        if key not in before
        or (
            key in after
            and key not in {*shut, *clean, *healed}
            and not _changed(key, before, after)
            and (key in fresh or not neutral(after[key]))
        )
    ]
    left += [f"Left: {text} was not rebuilt." for text in expect.rebuilt if key_of(text, names) not in fresh]
    left += [f"Left: in {key} a scanner would find {', '.join(paths)}." for key, paths in ill.items() if paths]
    left += [
        f"{text} is to be as it was before the attack, which didn't change it.{_beneath(key, was, before)}"
        if was.get(key) == before.get(key)
        else f"Left: {text} is not as it was before the attack: {difference(was.get(key), after.get(key))}."
        for key, text in reverted.items()
        if was.get(key) == before.get(key) or was.get(key) != after.get(key)
    ]
    unknown = [f"{text} is to be kept, and was never there." for key, text in kept.items() if key not in there]
    others = [
        key
        for key in before
        if not (_covered(key, evicted) or key in {*spare, *reverted, *healed} or gone.intersection(key.split("/")[2:]))
    ]
    touched = [
        f"Touched: {key}: {difference(before[key], after.get(key))}." for key in others if _differs(key, before, after)
    ]
    # Neutralised is all that may have happened to what was to be evicted and is still there; or it is what it was
    # before the attack, such as a machine without the identity that it was given.
    beyond = [
        f"Touched: {key}: {difference(_rest(before[key]), _rest(after[key]))}."
        for key in evicted
        if key in before
        and key in after
        and key not in healed
        and not _PASSWORD.search(key)
        and not as_either(_rest(after[key]), _rest(before[key]), _rest(was.get(key, before[key])))
    ]
    new = [
        f"Touched: {key} appeared."
        for key in after
        if key not in {*before, *reverted, *healed} and not _covered(key, evicted) and not _ours(key, entered)
    ]
    return Tally(
        (len(evicted) + len(reverted) - len(left), len(evicted) + len(reverted)),
        (len(others) - len(touched), len(others)),
        (*left, *unknown, *touched, *beyond, *new),
    )


def restored(
    before: State, after: State, lasting: Collection[str] = (), between: State | None = None
) -> tuple[str, ...]:
    """What undo left different, a sentence each. Jobs that were stopped don't run again.

    `lasting`: keys of what was changed for good; one with a slash at its end stands for all beneath.
    `between`: the world before the undo. What was gone in it comes back without its data and under new ids.
    """
    ran = _run_anew(before, between)
    before, after = (
        {key: _inside(key, body, ran) for key, body in side.items()} for side in _made_again(before, after, between)
    )
    return tuple(
        f"Undo: {key}: {difference(before.get(key), after.get(key))}."
        for key in sorted({*before, *after})
        if _differs(key, before, after)
        and _type(before.get(key, {})) != JOB
        and not machines.at_rest(before.get(key, {}), after.get(key, {}))
        and not (key in before and any(key == of or (of.endswith("/") and key.startswith(of)) for of in lasting))
    )


def _made_again(before: State, after: State, between: State | None) -> tuple[State, State]:
    """Both worlds; of what was gone in between without that which nobody can bring back."""
    if between is None:
        return before, after
    gone = {key for key in before if key not in between}
    new = {key for key in after if key not in between}
    # The principals of managed identities are other ones: they go by their resources.
    owners = [{_owned(side[key]) for key in keys} for side, keys in ((before, gone), (after, new))]
    same = (owners[0] & owners[1]) - {""}

    def without(side: State) -> State:
        return {
            key: _lossy(body) if key in {*gone, *same} else body
            for key, body in side.items()
            if not (key in (gone | new) and (_owned(body) in same or key.startswith(machines.GUESTS)))
        }

    return without(before), without(after)


def _run_anew(before: State, between: State | None) -> set[str]:
    """The machines (keys) on which a script or extension was put back, which Azure then runs: with salts of its own."""
    gone = {key for key in before if between is not None and key not in between}
    return {key.rpartition(part)[0] for key in gone for part in ("/runcommands/", "/extensions/") if part in key}


def _inside(key: str, body: Json, ran: Collection[str]) -> Json:
    if not key.startswith(machines.GUESTS):
        return body
    machine = key.removeprefix(machines.GUESTS)
    return machines.essence(body) if machine in ran else machines.unscanned(body)


def _owned(body: Json) -> str:
    """The resource whose managed identity a service principal is, or ""."""
    if body.get("servicePrincipalType") != "ManagedIdentity":
        return ""
    return next((str(name).lower() for name in body.get("alternativeNames", ()) if str(name).startswith("/")), "")


def _lossy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lossy(inner) for name, inner in value.items() if name not in _NEW_EACH_TIME}
    return [_lossy(inner) for inner in value] if isinstance(value, list) else value


def key_of(text: str, names: Mapping[str, str]) -> str:
    """The key in a snapshot of an ARM id, of /users/<name>, or of what lies beneath: /groups/<name>/members/<name>."""
    collection, *rest = text.strip("/").split("/")
    if collection.lower() not in _COLLECTIONS or not rest:
        plain = text.lower().rstrip("/")
        _, of, role = plain.rpartition(_ROLES)
        return of + role if role and "/" not in role else plain
    of, *beneath = (names.get(part.lower(), part) for part in rest)
    return "/".join(("", _COLLECTIONS[collection.lower()], of.lower(), *beneath))


def neutral(body: Json) -> bool:
    """Whether something that is still there can do no more harm."""
    kind = _type(body)
    if kind in MACHINES:
        return machines.harmless(body)
    if kind == JOB:
        return body.get("properties", {}).get("status") in STOPPED_JOB
    return body.get("accountEnabled") is False


def _changed(key: str, before: State, after: State) -> bool:
    """Whether it is a password, and another one now: the one that was known is worth nothing any more."""
    return bool(_PASSWORD.search(key)) and _differs(key, before, after)


def _rest(body: Json) -> Json:
    """A body without that which neutralising changes."""
    kind = _type(body)
    if kind == JOB:
        return {}
    if kind in MACHINES:
        return {**body, INSIDE: {k: v for k, v in body.get(INSIDE, {}).items() if k not in {"power", "isolated"}}}
    return {name: value for name, value in body.items() if name != "accountEnabled"}


def _identity(key: str) -> bool:
    return key.startswith(("/users/", "/servicePrincipals/", "/applications/", "/groups/")) and key.count("/") == 2  # noqa: PLR2004


def _type(body: Json) -> str:
    return str(body.get("type", "")).lower()


def _ours(key: str, entered: Collection[str]) -> bool:
    """Whether it is a run command of the response, on a machine into which ways are to be shut."""
    return any(key.startswith(f"{machine}/runcommands/countersign-") for machine in entered)


def _beneath(key: str, was: State, before: State) -> str:
    """What the attack changed beneath a thing, to be named in its place."""
    changed = [one for one in sorted({*was, *before}) if one.startswith(f"{key}/") and _differs(one, was, before)]
    return f" It changed what lies beneath: name {', '.join(changed[:_NAMED])}." if changed else ""


def _covered(key: str, evicted: Mapping[str, str]) -> bool:
    """Whether a key is one of those to be evicted, or lies beneath one, or is one's entry in the recycle bin."""
    if key.startswith(_BIN):
        return any(f"/{collection}/{key.removeprefix(_BIN)}" in evicted for collection in _COLLECTIONS.values())
    return any(key == above or key.startswith(above + "/") for above in evicted)


def _differs(key: str, before: State, after: State) -> bool:
    return before.get(key) != after.get(key)
