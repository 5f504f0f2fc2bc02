from datetime import timedelta
from typing import TYPE_CHECKING

from responders import familiarity, trail
from responders.azure import absent_is_fine, fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Verdict
from responders.users import account

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

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
_FACTORS = ("phone", "microsoftAuthenticator", "softwareOath")
# What tells one from another, for those who approve.
_NAMES = ("displayName", "phoneNumber", "emailAddress", "phoneType", "model", "deviceTag")


class RemoveAuthenticationMethods:
    """Remove the ways to sign in that were registered in the window (DELETE /users/{id}/authentication/…Methods/{id}).

    Phones, authenticator apps, passkeys and the like, by when Graph says that each was registered; Entra's audit log
    tells by whom. Those whose time nobody knows are offered. Irreversible: the user registers them anew.
    """

    id = "users.remove_authentication_methods"
    permissions = ("AuditLog.Read.All", "User.Read.All", "UserAuthenticationMethod.ReadWrite.All")
    reversible = False

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        user = await account.read(azure, subject.id)
        if user is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no user {subject.id}.")
        name = account.label(user)
        if account.external(user):
            reason = f"{name} is a guest: how it signs in is another tenant's matter."
            return Plan(action=self.id, subject=subject, reason=reason)
        verdict = await account.judge(azure, case, user)
        if verdict.familiarity == "unfamiliar":
            reason = f"{name} is to be deleted, with all its ways to sign in: {'; '.join(verdict.reasons)}."
            return Plan(action=self.id, subject=subject, reason=reason)
        held = [m async for m in azure.graph_pages(f"/users/{segment(user['id'])}/authentication/methods")]
        methods = [m for m in held if _kind(m) != _PASSWORD]
        if not methods:
            return Plan(action=self.id, subject=subject, reason=f"{name} has a password, and no other way to sign in.")
        log = await trail.of_target(azure, user["id"], case.since)
        changes: list[Change] = []
        kept: list[str] = []
        for method in sorted(methods, key=_order):
            its = _judge(case, user, method, log)
            if its.familiarity == "familiar":
                kept.append(f"{_label(method)}: {'; '.join(its.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=f"/users/{user['id']}/authentication/{_kind(method)}Methods/{method['id']}",
                summary=f"remove the {_label(method)} of {name}",
                reasons=its.reasons,
                before=method,
                principals=(user["id"],),
                lasting="It can't be put back: the user registers it anew.",
                familiarity=its.familiarity,
            )
            changes.append(change)
        reason = "" if changes else f"No way to sign in was registered for {name} in the window."
        return Plan(action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="It is gone already.")
        if _essence(now) != _essence(change.before):
            return Outcome(status="drifted", reason="It is not what was approved any more.", after=now)
        with fine("badRequest", "BadRequest") as said:
            await azure.graph("DELETE", _path(change))
        for message in said.values():
            # Graph gives up a default or first one after the others only, which may be under way beside this one.
            raise Temporary(f"{change.summary}: Graph doesn't do it yet: {message[:300]}")
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"It still shows: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=change.lasting)


def _order(method: Json) -> tuple[object, ...]:
    """The default second factor last, which Graph gives up last and doesn't name: mostly the one that was there first.

    A mobile phone after an alternate one, which can't be without.
    """
    made = account.moment(method, "createdDateTime")
    age = -made.timestamp() if made else 0.0
    return _kind(method) in _FACTORS, made is not None, method.get("phoneType") == "mobile", age, str(method["id"])


def _judge(case: "Case", user: Json, method: Json, log: trail.Trail) -> Verdict:
    """By when Graph says that it was registered; else by what the log says of its kind in the window."""
    made = account.moment(method, "createdDateTime")
    entries = [e for e in log.entries if e.activity in _REGISTERED]
    if made is None:
        words = _WORDS.get(_kind(method), ())
        if of_kind := [e for e in entries if any(word in e.why.lower() for word in words)]:
            return trail.verdict(case, of_kind[0])
        if not entries:
            return trail.verdict(case, None)
        when = f"{entries[0].at:%Y-%m-%d %H:%M} UTC"
        reason = f"Graph doesn't say when it was registered; something was, {when}, by {entries[0].name}"
        return Verdict(familiarity="unknown", reasons=(reason,))
    if made < case.since:
        reason = f"registered {made:%Y-%m-%d %H:%M} UTC, before the window"
        return Verdict(familiarity="familiar", reasons=(reason,))
    near = min(entries, key=lambda e: abs(e.at - made), default=None)
    if near is not None and abs(near.at - made) <= _NEAR:
        return trail.verdict(case, near)
    # Who registers a way to sign in is whoever is signed in, unless the log says otherwise.
    return familiarity.judge(case, user["id"], made)


async def _read(azure: "Azure", change: Change) -> Json | None:
    with absent_is_fine():
        return await azure.graph("GET", _path(change))
    return None


def _path(change: Change) -> str:
    """Of the method: made of parsed parts, since its id is Graph's own and may hold anything."""
    user = segment(change.principals[0])
    return f"/users/{user}/authentication/{segment(_kind(change.before))}Methods/{segment(change.before['id'])}"


def _kind(method: Json) -> str:
    return str(method.get("@odata.type", "")).removeprefix(_BASE).removesuffix(_TYPE)


def _essence(method: Json) -> Json:
    return {k: v for k, v in method.items() if not k.startswith("@") and k in {"id", "createdDateTime", *_NAMES}}


def _label(method: Json) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in _kind(method))
    told = ", ".join(str(method[n]) for n in _NAMES if method.get(n))
    return f"{words} {told}".strip()
