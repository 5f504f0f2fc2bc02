"""The ways to sign in that were registered in the window, and how each is removed.

Two actions share them: what Graph can put back, and what only the user can register anew.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from responders import familiarity, trail
from responders.azure import fine, segment
from responders.errors import Temporary
from responders.model import Case, Change, Json, Outcome, Plan, Subject, Verdict
from responders.users import account
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = ("AuditLog.Read.All", "User.Read.All", "UserAuthenticationMethod.ReadWrite.All")
# What Graph registers for a user too, by what it is registered with (POST …/phoneMethods, …/emailMethods).
RESTORABLE = {"phone": ("phoneNumber", "phoneType"), "email": ("emailAddress",)}

_BASE, _TYPE = "#microsoft.graph.", "AuthenticationMethod"
_PASSWORD = "password"  # noqa: S105  the kind; it is reset, not removed
_REGISTERED = frozenset(
    f"{who} {did} security info" for who in ("user", "admin") for did in ("registered", "updated", "changed")
)
# The log tells of a registration when it is over, and doesn't name the method: what is so near in time is that one.
_NEAR = timedelta(minutes=5)
# What the log calls a kind, in small letters: "User registered Mobile Phone SMS".
_WORDS = {
    "phone": ("phone",),
    "microsoftAuthenticator": ("authenticator app with notification",),
    "softwareOath": ("authenticator app with code", "oath"),
    "fido2": ("fido", "passkey", "security key"),
    "email": ("email",),
    "temporaryAccessPass": ("temporary access pass",),
    "windowsHelloForBusiness": ("windows hello",),
}
# One of them is the default second factor, which Graph gives up after the others only.
_FACTORS = ("phone", "microsoftAuthenticator", "softwareOath")
# What tells one from another, for those who approve.
_NAMES = ("displayName", "phoneNumber", "emailAddress", "phoneType", "model", "deviceTag")


async def removal(action: str, case: Case, subject: Subject, azure: "Azure", *, restorable: bool, lasting: str) -> Plan:
    """Plan to remove those that are not familiar: either those that Graph can put back, or the others.

    `lasting`: what undo can't bring back.
    """
    user = await account.read(azure, subject.id)
    if user is None:
        return Plan(action=action, subject=subject, reason=f"The directory has no user {subject.id}.")
    name = account.label(user)
    if account.external(user):
        reason = f"{name} is a guest: how it signs in is another tenant's matter."
        return Plan(action=action, subject=subject, reason=reason)
    verdict = await account.judge(azure, case, user)
    if verdict.familiarity == "unfamiliar":
        reason = f"{name} is to be deleted, with all its ways to sign in: {'; '.join(verdict.reasons)}."
        return Plan(action=action, subject=subject, reason=reason)
    held = [m async for m in azure.graph_pages(f"/users/{segment(user['id'])}/authentication/methods")]
    mine = [m for m in held if kind(m) != _PASSWORD and (kind(m) in RESTORABLE) == restorable]
    what = "phone or mail address to sign in with" if restorable else "authenticator, passkey or the like"
    if not mine:
        return Plan(action=action, subject=subject, reason=f"{name} has no {what}.")
    log = await trail.of_target(azure, case, user["id"])
    # What the other action is going to remove; a phone that is the default waits for it.
    others = [m for m in held if kind(m) in _FACTORS and m not in mine]
    others = [m for m in others if _judge(case, user, m, log).familiarity == "unfamiliar"]
    # Which one that is Graph's v1.0 doesn't say. Where it refused to give up one of those first, the guess was wrong.
    refused = {c.resource for c in case.failed}
    guessed = restorable and others and not any(_path(user, m) in refused for m in others)
    waiting = _default(held, log) if guessed else None
    changes, kept, by_hand = list[Change](), list[str](), list[str]()
    judged = [(method, _judge(case, user, method, log)) for method in sorted(mine, key=lambda m: _order(m, log))]
    for method, its in judged:
        if its.left_alone:
            kept.append(f"{_label(method)}: {'; '.join(its.reasons)}")
            continue
        if method is waiting:
            todo = f"remove first the {' and the '.join(map(_label, others))} of {name}, then its {_label(method)}"
            by_hand.append(f"Graph gives up the default way to sign in last: {todo} (an Authentication Administrator).")
            continue
        change = Change(
            action=action,
            resource=_path(user, method),
            summary=f"remove the {_label(method)} of {name}",
            reasons=its.reasons,
            before=method,
            principals=(user["id"],),
            lasting=lasting,
            familiarity=its.familiarity,
        )
        changes.append(change)
    reason = "" if changes else f"No {what} was registered for {name} in the window."
    if by_hand and not changes:
        reason = "What goes last waits for what goes first."
    return Plan(
        action=action,
        subject=subject,
        changes=tuple(changes),
        reason=reason,
        kept=tuple(kept),
        by_hand=tuple(by_hand),
        awaits=trail.awaits(its for _, its in judged),
    )


async def left(azure: "Azure", case: Case, user: Json) -> list[str]:
    """What an intruder registered for a user and could still sign in with, as a person reads it."""
    held = [m async for m in azure.graph_pages(f"/users/{segment(user['id'])}/authentication/methods")]
    log = await trail.of_target(azure, case, user["id"])
    others = (m for m in held if kind(m) != _PASSWORD)
    return [_label(m) for m in others if _judge(case, user, m, log).familiarity == "unfamiliar"]


async def apply(change: Change, azure: "Azure") -> Outcome:
    now = await read(azure, change)
    if now is None:
        return Outcome(status="already_so", reason="It is gone already.")
    # Ids of phones and mail addresses go by their type: another one may have taken the place. Of the others the id is
    # their own, and how a device names itself its holder may change at any time.
    if any(now.get(name) != change.before.get(name) for name in RESTORABLE.get(kind(change.before), ())):
        return Outcome(status="drifted", reason="It is not what was approved any more.", after=now)
    with fine("badRequest", "BadRequest") as said:
        await azure.graph("DELETE", f"{collection(change)}/{segment(change.before['id'])}")
    for message in said.values():
        # Graph gives up the default one after the others only: those may be under way beside this one, or are left to
        # the other action.
        beside, left = await _others(azure, change)
        if beside:
            raise Temporary(f"{change.summary}: Graph doesn't do it yet: {message[:300]}")
        names = " and ".join(map(_label, left)) or "something that does not show"
        reason = (
            f"Graph gives up the default way to sign in last, and {names} is left. The other step for ways to sign in "
            "removes that if it is not familiar, and this one is tried again; else the user, or an Authentication "
            f"Administrator, makes another one the default first. Graph says: {message[:300]}"
        )
        return Outcome(status="failed", reason=reason)
    return Outcome(status="done")


async def _others(azure: "Azure", change: Change) -> tuple[list[Json], list[Json]]:
    """What else the user can prove himself with: what is of the same action as this one, and the rest."""
    path = f"/users/{segment(change.principals[0])}/authentication/methods"
    held = [m async for m in azure.graph_pages(path)]
    held = [m for m in held if m["id"] != change.before["id"] and kind(m) in _FACTORS]
    restorable = kind(change.before) in RESTORABLE
    beside = [m for m in held if (kind(m) in RESTORABLE) == restorable]
    return beside, [m for m in held if m not in beside]


async def verify(change: Change, azure: "Azure") -> Outcome:
    if await read(azure, change) is not None:
        raise Temporary(f"It still shows: {change.summary}.")
    return Outcome(status="done")


async def read(azure: "Azure", change: Change) -> Json | None:
    """The method as it is (GET /users/{id}/authentication/…Methods/{id}); None when it is gone."""
    return await azure.graph_read(f"{collection(change)}/{segment(change.before['id'])}")


def collection(change: Change) -> str:
    """The Graph path of the methods of that kind: made of parsed parts, since ids are Graph's own and hold anything."""
    return f"/users/{segment(change.principals[0])}/authentication/{segment(kind(change.before))}Methods"


def kind(method: Json) -> str:
    return str(method.get("@odata.type", "")).removeprefix(_BASE).removesuffix(_TYPE)


def _path(user: Json, method: Json) -> str:
    return f"/users/{user['id']}/authentication/{kind(method)}Methods/{method['id']}"


def _order(method: Json, log: trail.Trail) -> tuple[object, ...]:
    """The default second factor last; and a mobile phone after an alternate one, which can't be without."""
    return kind(method) in _FACTORS, method.get("phoneType") == "mobile", -_since(method, log), str(method["id"])


def _default(methods: list[Json], log: trail.Trail) -> Json | None:
    """The default second factor, which Graph doesn't name: mostly the one that was there first."""
    factors = [m for m in methods if kind(m) in _FACTORS]
    return min(factors, key=lambda m: (_since(m, log), m.get("phoneType") != "mobile"), default=None)


def _since(method: Json, log: trail.Trail) -> float:
    """When it was registered, as a timestamp; 0 where neither Graph nor the log tells."""
    made = time_of(method.get("createdDateTime")) or next((e.at for e in _of_kind(method, log)), None)
    return made.timestamp() if made else 0.0


def _of_kind(method: Json, log: trail.Trail) -> list[trail.Entry]:
    """What the log tells of registrations of its kind."""
    words = _WORDS.get(kind(method), ())
    return [e for e in _registered(log) if any(word in e.why.lower() for word in words)]


def _registered(log: trail.Trail) -> list[trail.Entry]:
    return [e for e in log.entries if e.activity in _REGISTERED]


def _judge(case: Case, user: Json, method: Json, log: trail.Trail) -> Verdict:
    """By when Graph says that it was registered; else by what the log says of its kind in the window."""
    made = time_of(method.get("createdDateTime"))
    entries = _registered(log)
    if made is None:
        if of_kind := _of_kind(method, log):
            return trail.verdict(case, of_kind[0])
        if not entries:
            return trail.absent(case, log, f"/users/{user['id']}/authentication/{kind(method)}Methods/{method['id']}")
        when = utc(entries[0].at)
        reason = f"Graph doesn't say when it was registered; something was, {when}, by {entries[0].name}"
        return Verdict(familiarity="unknown", reasons=(reason,))
    if made < case.since:
        reason = f"registered {utc(made)}, before the window"
        return Verdict(familiarity="familiar", reasons=(reason,))
    near = min(entries, key=lambda e: abs(e.at - made), default=None)
    if near is not None and abs(near.at - made) <= _NEAR:
        return trail.verdict(case, near)
    # Who registers a way to sign in is whoever is signed in, unless the log says otherwise.
    return familiarity.judge(case, user["id"], made)


def _label(method: Json) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in kind(method))
    told = ", ".join(str(method[n]) for n in _NAMES if method.get(n))
    return f"{words} {told}".strip()
