"""A user's account as Microsoft Graph has it: what it is, whether it is known good, and who alone may change it."""

from typing import TYPE_CHECKING

from msgspec import Struct

from responders import trail
from responders.azure import segment
from responders.model import Case, Change, Json, Verdict
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

# accountEnabled is not among Graph's default properties: without $select, "missing" would look like "unchanged".
_SELECT = (
    "id,userPrincipalName,displayName,accountEnabled,userType,createdDateTime,onPremisesSyncEnabled,"
    "signInSessionsValidFromDateTime,lastPasswordChangeDateTime"
)
# Of a guest the log has both: the invitation by whoever invited him, and what the invitation service made of it.
_MAKING = ("Invite external user", "Add user")


class Standing(Struct, frozen=True, kw_only=True):
    """What puts an account out of an application's reach; names."""

    roles: tuple[str, ...] = ()  # directory roles, also those held through groups
    groups: tuple[str, ...] = ()  # that may be given such roles
    units: tuple[str, ...] = ()  # restricted management administrative units


async def read(azure: "Azure", user: str) -> Json | None:
    """The user with that object id, or None if there is none (GET /users/{id})."""
    return await azure.graph_read(f"/users/{segment(user)}", {"$select": _SELECT})


async def standing(azure: "Azure", user: str) -> Standing:
    """What an account is in that keeps an application off it (GET /users/{id}/transitiveMemberOf).

    Units whose members are hidden don't show: of them the refusal of a change tells.
    """
    found = [entry async for entry in azure.graph_pages(f"/users/{segment(user)}/transitiveMemberOf")]
    return Standing(
        roles=_names(found, "directoryRole"),
        groups=_names([e for e in found if e.get("isAssignableToRole")], "group"),
        units=_names([e for e in found if e.get("isMemberManagementRestricted")], "administrativeUnit"),
    )


def by_hand(user: Json, its: Standing, doing: str) -> str:
    """What a person has to do instead of an application, and who can; "" where an application can do it.

    `doing` goes on "…: ", e.g. "block its sign-in".
    """
    if its.units:
        who = "an administrator whose role is assigned over that unit"
        return f"{label(user)} is in the restricted management administrative unit {its.units[0]}: {doing} ({who})."
    if its.roles or its.groups:
        why = f"holds the directory role {', '.join(its.roles)}" if its.roles else f"is in the group {its.groups[0]}"
        if not its.roles:
            why += ", which can be given directory roles"
        who = "a Privileged Authentication Administrator or a Global Administrator; no application may"
        return f"{label(user)} {why}: {doing} ({who})."
    return ""


async def judge(azure: "Azure", case: Case, user: Json) -> Verdict:
    """Whether an account is known good: by when it was made and, if in the window, by whom, as Entra's log has it."""
    made = time_of(user.get("createdDateTime"))
    if made is None:
        return Verdict(familiarity="unknown", reasons=("Entra does not say when the account was made",))
    when = f"the account was made {utc(made)}"
    if made < case.since:
        return Verdict(familiarity="familiar", reasons=(f"{when}, before the window",))
    log = await trail.of_target(azure, case, user["id"])
    entry = next(filter(None, (log.last((kind,), user["id"]) for kind in _MAKING)), None)
    if entry is None:
        reason = f"{when}, in the window, and Entra's audit log does not say by whom"
        verdict = Verdict(familiarity="unknown", reasons=(log.unread or reason,))
        return trail.awaited(case, log, f"/users/{user['id']}", verdict)
    return trail.verdict(case, entry)


def external(user: Json) -> bool:
    """Whether it signs in at its home, another tenant: password, methods and sessions are that tenant's."""
    return "#ext#" in str(user["userPrincipalName"]).lower()


def path(change: Change) -> str:
    """The Graph path of the user that a change is about."""
    return f"/users/{segment(change.resource.removeprefix('/users/'))}"


def label(user: Json) -> str:
    return str(user.get("userPrincipalName") or user["id"])


def _names(entries: list[Json], kind: str) -> tuple[str, ...]:
    mine = (e for e in entries if str(e.get("@odata.type", "")).lower() == f"#microsoft.graph.{kind}".lower())
    return tuple(sorted(str(e.get("displayName") or e["id"]) for e in mine))
