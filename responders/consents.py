"""Consents that let an application act as people (delegated permission grants: /oauth2PermissionGrants in Graph).

Graph has neither time nor giver: Entra's audit log has. One that was only widened gets the scopes back that it had.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from responders import trail
from responders.azure import absent_is_fine, segment
from responders.model import Case, Change, Json, Outcome, Verdict

if TYPE_CHECKING:
    from responders.azure import Azure

ACTIVITY = "Add delegated permission grant"  # what the log calls one that is given, and one that is widened
_CONSENT = "DelegatedPermissionGrant."
_ENDS = ("clientId", "consentType", "principalId", "resourceId")


async def given(azure: "Azure", holder: str) -> list[Json]:
    """Those in a user's name, or that an application has, by the Graph path of either; none where that is gone."""
    return await azure.graph_list(f"{holder}/oauth2PermissionGrants")


def path(grant: Json) -> str:
    return f"/oauth2PermissionGrants/{segment(grant['id'])}"


def for_everyone(entry: trail.Entry) -> bool:
    """Whether an entry of the log is of one in the name of all people."""
    return entry.new.get(f"{_CONSENT}ConsentType") == "AllPrincipals"


def entries(grant: Json, log: Iterable[trail.Entry]) -> list[trail.Entry]:
    """What the log, or a part of it, has of a consent, the oldest first."""
    ends = {grant["clientId"], grant["resourceId"], grant.get("principalId") or grant["clientId"]}
    mine = (e for e in log if e.activity == ACTIVITY.lower() and ends <= e.about)
    return [e for e in mine if e.new.get(f"{_CONSENT}ConsentType") == grant["consentType"]][::-1]


def judge(case: Case, log: trail.Trail, grant: Json, found: Iterable[trail.Entry]) -> tuple[Verdict, Json]:
    """Whether it is known good, by these entries, and what a change keeps of it: with the scopes that it had before.

    What a suspect first did to it is what is taken back; what others did only where no suspect did anything.
    """
    judged = [(trail.verdict(case, entry, thing=path(grant)), entry) for entry in found]
    none = (trail.absent(case, log, path(grant)), None)
    verdict, entry = next((p for p in judged if p[0].familiarity == "unfamiliar"), next(iter(judged), none))
    former = entry.old.get(f"{_CONSENT}Scope", "") if entry else ""
    return verdict, {**{name: grant.get(name) for name in ("id", *_ENDS, "scope")}, "former": former}


def summary(kept: Json, client: str, whom: str, names: dict[str, str]) -> str:
    """What taking it back is, as an approver reads it. `whom`: in whose name it is, unless in everyone's."""
    whom = "everyone" if kept["consentType"] == "AllPrincipals" else whom
    api, scope, former = (
        names.get(kept["resourceId"], kept["resourceId"]),
        kept["scope"].strip(),
        kept["former"].strip(),
    )
    title = f"consent that lets {client} act as {whom} in {api} ({scope})"
    return f"take the {title} back to {former}" if former else f"revoke the {title}"


def lasting(kept: Json) -> str:
    """What undo can't bring back."""
    return "" if kept["former"] else "Given back, it has a new id."


async def apply(azure: "Azure", change: Change) -> Outcome:
    """Revoke it, or take it back to what it was.

    It lets the same application act as the same people, whatever scopes were written into it, or whatever id it got,
    since the plan.
    """
    now, former = await _read(azure, change), change.before["former"]
    if _taken(now, former):
        return Outcome(status="already_so", reason="The consent is revoked already.")
    if now is None:
        return Outcome(status="drifted", reason="The consent is gone, and with it what it was before.")
    with absent_is_fine():
        await azure.graph("PATCH" if former else "DELETE", path(now), body={"scope": former} if former else None)
    if now["id"] != change.before["id"] or now["scope"] != change.before["scope"]:
        return Outcome(status="done", reason=f"At the end it was for {now['scope'].strip()}.", after=now)
    return Outcome(status="done")


async def shows(azure: "Azure", change: Change) -> bool:
    """Whether it is not taken back yet."""
    return not _taken(await _read(azure, change), change.before["former"])


async def undo(azure: "Azure", change: Change) -> Outcome:
    """Give it back, or widen it again."""
    now, before = await _read(azure, change), change.before
    if now is not None and now["scope"] == before["scope"]:
        return Outcome(status="already_so", reason="The consent is there again already.")
    if now is not None and now["scope"] != before["former"]:
        return Outcome(status="failed", reason="Another consent has its place now.")
    with absent_is_fine():
        if now is not None:
            await azure.graph("PATCH", path(now), body={"scope": before["scope"]})
        else:
            body = {name: before[name] for name in (*_ENDS, "scope") if before[name] is not None}
            await azure.graph("POST", "/oauth2PermissionGrants", body=body)
        return Outcome(status="done", reason=change.lasting)
    return Outcome(status="failed", reason="One of its ends is gone: restore it first, then undo again.")


async def _read(azure: "Azure", change: Change) -> Json | None:
    """The consent as it is; by whom it lets act as whom, since one that is given back has a new id."""
    before = change.before
    found = await given(azure, f"/servicePrincipals/{segment(before['clientId'])}")
    return next((g for g in found if all(g.get(end) == before[end] for end in _ENDS)), None)


def _taken(now: Json | None, former: str) -> bool:
    return now is None if not former else now is not None and now["scope"] == former
