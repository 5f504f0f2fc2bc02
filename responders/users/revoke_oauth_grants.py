from typing import TYPE_CHECKING

from responders import directory, trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_GIVEN = "Add delegated permission grant"  # what the log calls it, and also a grant that was widened
_SCOPE = "DelegatedPermissionGrant.Scope"
_ENDS = ("clientId", "consentType", "principalId", "resourceId")


class RevokeOauthGrants:
    """Revoke the consents that let an application act as a user (DELETE /oauth2PermissionGrants/{id}).

    Those in his name that were given in the window, and those for everyone in the tenant that he gave in it. A grant
    that was only widened gets the scopes back that it had. Graph has neither time nor giver: Entra's audit log has. The
    application's tokens live on to their expiry, and its refresh tokens end with the consent.
    """

    id = "users.revoke_oauth_grants"
    permissions = (*trail.PERMISSIONS, "Directory.Read.All", "DelegatedPermissionGrant.ReadWrite.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        log = await trail.of_activity(azure, case, _GIVEN)
        mine = [entry for entry in log.entries if _concerns(case, subject, entry)]
        own = f"/users/{segment(subject.id)}/oauth2PermissionGrants"
        awaits = trail.still(case, log, own)
        if not mine and not log.unread:
            return Plan(
                action=self.id,
                subject=subject,
                reason="In the window nobody consented in the user's name, nor did he for everyone.",
                awaits=awaits,
            )
        grants = await (_list(azure, own) if log.unread else _grants(azure, subject.id, mine))
        names = await directory.names(azure, {g[end] for g in grants for end in ("clientId", "resourceId")})
        changes, kept = list[Change](), list[str]()
        for grant in sorted(grants, key=lambda g: str(g["id"])):
            path = f"/oauth2PermissionGrants/{segment(grant['id'])}"
            judged = [(trail.verdict(case, e, thing=path), e) for e in reversed(mine) if _gave(e, grant)]
            if not judged and not log.unread:
                continue
            none = (trail.absent(case, log, path), None)
            # What a suspect first did to it is what is taken back; what others did only where no suspect did anything.
            verdict, entry = next((p for p in judged if p[0].familiarity == "unfamiliar"), next(iter(judged), none))
            former = entry.old.get(_SCOPE, "") if entry else ""
            client, api = (names.get(grant[end], grant[end]) for end in ("clientId", "resourceId"))
            whom = "everyone" if grant["consentType"] == "AllPrincipals" else subject.name or subject.id
            title = f"consent that lets {client} act as {whom} in {api} ({grant['scope'].strip()})"
            if verdict.familiarity == "familiar":
                kept.append(f"the {title}: {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=path,
                summary=f"take the {title} back to {former.strip()}" if former else f"revoke the {title}",
                reasons=verdict.reasons,
                before={**{n: grant.get(n) for n in ("id", *_ENDS, "scope")}, "former": former},
                principals=(subject.id,),
                lasting="" if former else "Given back, it has a new id.",
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else "What was consented to in the window is revoked already, or familiar."
        return Plan(
            action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), awaits=awaits
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _now(azure, change)
        if _as_wanted(now, change):
            return Outcome(status="already_so", reason="The consent is revoked already.")
        if now is None:
            return Outcome(status="drifted", reason="The consent is gone, and with it what it was before.")
        path, former = f"/oauth2PermissionGrants/{segment(now['id'])}", change.before["former"]
        with absent_is_fine():
            await azure.graph("PATCH" if former else "DELETE", path, body={"scope": former} if former else None)
        # It lets the same application act as the same people, whatever scopes were written into it meanwhile.
        if now["scope"] != change.before["scope"]:
            return Outcome(status="done", reason=f"At the end it was for {now['scope'].strip()}.", after=now)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if not _as_wanted(await _now(azure, change), change):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now, before = await _now(azure, change), change.before
        if now is not None and now["scope"] == before["scope"]:
            return Outcome(status="already_so", reason="The consent is there again already.")
        if now is not None and now["scope"] != before["former"]:
            return Outcome(status="failed", reason="Another consent has its place now.")
        with absent_is_fine():
            if now is not None:
                path = f"/oauth2PermissionGrants/{segment(now['id'])}"
                await azure.graph("PATCH", path, body={"scope": before["scope"]})
            else:
                body = {name: before[name] for name in (*_ENDS, "scope") if before[name] is not None}
                await azure.graph("POST", "/oauth2PermissionGrants", body=body)
            return Outcome(status="done", reason=change.lasting)
        return Outcome(status="failed", reason="The application or the user is gone: restore it, then undo again.")


def _concerns(case: "Case", subject: "Subject", entry: trail.Entry) -> bool:
    """Whether a grant is the user's to answer for: in his name, or for everyone by him, or by what is no person."""
    if entry.activity != _GIVEN.lower():
        return False
    if subject.id.lower() in entry.about:
        return True
    if entry.new.get("DelegatedPermissionGrant.ConsentType") != "AllPrincipals":
        return False
    suspect = case.suspect(entry.by, entry.at)
    return suspect is not None and (suspect.id == subject.id or suspect.kind not in {"user", "guest"})


def _gave(entry: trail.Entry, grant: Json) -> bool:
    ends = {grant["clientId"], grant["resourceId"]} | ({grant["principalId"]} if grant.get("principalId") else set())
    return ends <= entry.about and entry.new.get("DelegatedPermissionGrant.ConsentType") == grant["consentType"]


async def _grants(azure: "Azure", user: str, entries: list[trail.Entry]) -> list[Json]:
    """The user's consents, and those for everyone of the applications that the log names."""
    found: list[Json] = []
    if any(user.lower() in e.about for e in entries):
        found += await _list(azure, f"/users/{segment(user)}/oauth2PermissionGrants")
    everyone = (e for e in entries if e.new.get("DelegatedPermissionGrant.ConsentType") == "AllPrincipals")
    for client in sorted(
        {e.new["ServicePrincipal.ObjectID"] for e in everyone if "ServicePrincipal.ObjectID" in e.new}
    ):
        grants = await _list(azure, f"/servicePrincipals/{segment(client)}/oauth2PermissionGrants")
        found += [g for g in grants if g["consentType"] == "AllPrincipals"]
    return found


async def _list(azure: "Azure", path: str) -> list[Json]:
    with absent_is_fine():
        return [g async for g in azure.graph_pages(path)]
    return []


async def _now(azure: "Azure", change: Change) -> Json | None:
    """The consent as it is; by whom it lets act as whom, since one that is given back has a new id."""
    before = change.before
    found = await _list(azure, f"/servicePrincipals/{segment(before['clientId'])}/oauth2PermissionGrants")
    return next((g for g in found if all(g.get(end) == before[end] for end in _ENDS)), None)


def _as_wanted(now: Json | None, change: Change) -> bool:
    former = change.before["former"]
    return now is None if not former else now is not None and now["scope"] == former
