from typing import TYPE_CHECKING

from responders import consents, directory, trail
from responders.azure import segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


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
        log = await trail.of_activity(azure, case, consents.ACTIVITY)
        mine = [entry for entry in log.entries if _concerns(case, subject, entry)]
        user = f"/users/{segment(subject.id)}"
        awaits = trail.still(case, log, f"{user}/oauth2PermissionGrants")
        if not mine and not log.unread:
            return Plan(
                action=self.id,
                subject=subject,
                reason="In the window nobody consented in the user's name, nor did he for everyone.",
                awaits=awaits,
            )
        grants = await (consents.given(azure, user) if log.unread else _grants(azure, subject.id, mine))
        names = await directory.names(azure, {g[end] for g in grants for end in ("clientId", "resourceId")})
        changes, kept = list[Change](), list[str]()
        for grant in sorted(grants, key=lambda g: str(g["id"])):
            found = consents.entries(grant, mine)
            if not found and not log.unread:
                continue
            verdict, before = consents.judge(case, log, grant, found)
            client = names.get(str(grant["clientId"]), str(grant["clientId"]))
            summary = consents.summary(before, client, subject.name or subject.id, names)
            if verdict.left_alone:
                kept.append(f"{summary}: no, {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=consents.path(grant),
                summary=summary,
                reasons=verdict.reasons,
                before=before,
                principals=(subject.id,),
                lasting=consents.lasting(before),
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else "What was consented to in the window is revoked already, or familiar."
        return Plan(
            action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), awaits=awaits
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        return await consents.apply(azure, change)

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await consents.shows(azure, change):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return await consents.undo(azure, change)


def _concerns(case: "Case", subject: "Subject", entry: trail.Entry) -> bool:
    """Whether a grant is the user's to answer for: in his name, or for everyone by him, or by what is no person."""
    if subject.id.lower() in entry.about:
        return True
    if not consents.for_everyone(entry):
        return False
    suspect = case.suspect(entry.by, entry.at)
    return suspect is not None and (suspect.id == subject.id or suspect.kind not in {"user", "guest"})


async def _grants(azure: "Azure", user: str, entries: list[trail.Entry]) -> list[Json]:
    """The user's consents, and those for everyone of the applications that the log names."""
    found: list[Json] = []
    if any(user.lower() in e.about for e in entries):
        found += await consents.given(azure, f"/users/{segment(user)}")
    everyone = (e for e in entries if consents.for_everyone(e))
    for client in sorted(
        {e.new["ServicePrincipal.ObjectID"] for e in everyone if "ServicePrincipal.ObjectID" in e.new}
    ):
        grants = await consents.given(azure, f"/servicePrincipals/{segment(client)}")
        found += [g for g in grants if g["consentType"] == "AllPrincipals"]
    return found
