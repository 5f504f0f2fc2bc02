from datetime import datetime
from typing import TYPE_CHECKING

from responders import directory, familiarity, trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes, Verdict
from responders.service_principals import registration
from responders.service_principals.registration import Registration

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_ROLE = "Add app role assignment to service principal"  # as the log calls them
_CONSENT = "Add delegated permission grant"
_OWNER = ("Add owner to application", "Add owner to service principal")
_SCOPE = "DelegatedPermissionGrant.Scope"
_ENDS = {
    "role": ("principalId", "resourceId", "appRoleId"),
    "consent": ("clientId", "consentType", "principalId", "resourceId"),
    "owner": ("id",),
}

Given = tuple[str, Json, Verdict]  # its Graph path, what a change keeps of it, and whether it is known good


class RemoveGrants:
    """Take back what an application was given in the window: permissions of its own, consents to it, and owners of it.

    DELETE …/appRoleAssignedTo/{id}, /oauth2PermissionGrants/{id} and …/owners/{id}/$ref: an owner can add secrets to it
    at any time. A consent that was only widened gets the scopes back that it had. Tokens already given out carry the
    permissions to their expiry.
    """

    id = "service_principals.remove_grants"
    permissions = (
        *trail.PERMISSIONS,
        "Application.ReadWrite.All",
        "AppRoleAssignment.ReadWrite.All",
        "DelegatedPermissionGrant.ReadWrite.All",
        "Directory.Read.All",
    )
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        found = await registration.read(azure, subject.id)
        if found is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no service principal {subject.id}.")
        made = await registration.made(azure, case, found)
        if made[f"/servicePrincipals/{found.id}"].familiarity == "unfamiliar":
            reason = f"A suspect made {found.name}: what it was given goes with it."
            return Plan(action=self.id, subject=subject, reason=reason)
        given = [
            *await _roles(azure, case, found),
            *await _consents(azure, case, found),
            *await _owners(azure, case, found),
        ]
        ids = {str(item[end]) for _, item, _ in given for end in ("resourceId", "principalId") if item.get(end)}
        ids |= {item["id"] for _, item, _ in given if item["kind"] == "owner"}
        names = await directory.names(azure, ids) if ids else {}
        changes = []
        for resource, before, verdict in given:
            change = Change(
                action=self.id,
                resource=resource,
                summary=_summary(found.name, before, names),
                reasons=verdict.reasons,
                before=before,
                principals=tuple(dict.fromkeys((found.id, *([before["id"]] if before["kind"] == "owner" else [])))),
                lasting="" if before["kind"] == "owner" or before.get("former") else "Given back, it has a new id.",
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        awaits = tuple(verdict.awaits for _, _, verdict in given if verdict.awaits)
        spared = {resource for resource, _, verdict in given if verdict.spared}
        left = [c for c in changes if c.familiarity == "familiar" or c.resource in spared]
        kept = [f"{c.summary}: no, {'; '.join(c.reasons)}" for c in left]
        changes = [c for c in changes if c not in left]
        reason = "" if changes else f"{found.name} was given nothing in the window."
        return Plan(
            action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), awaits=awaits
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now, before = await _now(azure, change), change.before
        if _taken(now, before):
            return Outcome(status="already_so", reason="It is taken back already.")
        if now is None:
            return Outcome(status="drifted", reason="The consent is gone, and with it what it was before.")
        former = before.get("former")
        # Given again it has another id, and is no other thing by that; nor is a consent by other scopes.
        path = f"{change.resource.rpartition('/')[0]}/{segment(now['id'])}"
        path += "/$ref" if before["kind"] == "owner" else ""
        with absent_is_fine():
            await azure.graph("PATCH" if former else "DELETE", path, body={"scope": former} if former else None)
        if now["id"] != before["id"] or now.get("scope") != before.get("scope"):
            return Outcome(status="done", reason="It had been changed or given again since the plan.", after=now)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if not _taken(await _now(azure, change), change.before):
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now, before = await _now(azure, change), change.before
        if now is not None and now.get("scope") == before.get("scope"):
            return Outcome(status="already_so", reason="It is given again already.")
        if now is not None and now.get("scope") != before.get("former"):
            return Outcome(status="failed", reason="Another consent has its place now.")
        with absent_is_fine():
            if now is not None:
                path = f"/oauth2PermissionGrants/{segment(now['id'])}"
                await azure.graph("PATCH", path, body={"scope": before["scope"]})
            elif before["kind"] == "owner":
                body: Json = {"@odata.id": f"{azure.settings.graph}/v1.0/directoryObjects/{segment(before['id'])}"}
                await azure.graph("POST", f"{change.resource.rpartition('/')[0]}/$ref", body=body)
            else:
                body = {n: before[n] for n in (*_ENDS[before["kind"]], "scope") if before.get(n) is not None}
                await azure.graph("POST", change.resource.rpartition("/")[0], body=body)
            return Outcome(status="done", reason=change.lasting)
        return Outcome(status="failed", reason="One of its ends is gone: restore it first, then undo again.")


async def _roles(azure: "Azure", case: "Case", found: Registration) -> list[Given]:
    """Permissions that it has itself, of Graph above all."""
    held = await _list(azure, f"/servicePrincipals/{segment(found.id)}/appRoleAssignments")
    held = [a for a in held if a["principalId"] == found.id]
    log = trail.Trail(())
    if any((made := _made(a)) is None or made >= case.since for a in held):
        log = await trail.of_activity(azure, case, _ROLE)
    given: list[Given] = []
    for a in held:
        ends = {end: a[end] for end in _ENDS["role"]}
        resource = f"/servicePrincipals/{a['resourceId']}/appRoleAssignedTo/{a['id']}"
        made = _made(a)
        if made and made < case.since:
            verdict = Verdict(familiarity="familiar", reasons=(f"given {made:%Y-%m-%d}, before the window",))
        else:
            entry = log.last([_ROLE], *ends.values()) or log.last([_ROLE], a["principalId"], a["resourceId"])
            verdict = trail.absent(case, log, resource)
            if entry is not None:
                verdict = trail.verdict(case, entry)
            elif made is not None:
                verdict = trail.awaited(case, log, resource, familiarity.judge(case, None, made))
        given.append((resource, {"kind": "role", "id": a["id"], **ends}, verdict))
    return given


def _made(assignment: Json) -> datetime | None:
    made = assignment.get("createdDateTime")
    return datetime.fromisoformat(made) if made else None


async def _consents(azure: "Azure", case: "Case", found: Registration) -> list[Given]:
    """Consents by which it acts as people."""
    held = await _list(azure, f"/servicePrincipals/{segment(found.id)}/oauth2PermissionGrants")
    log = await trail.of_activity(azure, case, _CONSENT) if held else trail.Trail(())
    given: list[Given] = []
    for grant in held:
        # What a suspect first did to it is what is taken back; what others did only where no suspect did anything.
        judged = [(trail.verdict(case, e), e) for e in reversed(log.entries) if _gave(e, grant)]
        none = (trail.absent(case, log, f"/oauth2PermissionGrants/{grant['id']}"), None)
        verdict, entry = next((p for p in judged if p[0].familiarity == "unfamiliar"), next(iter(judged), none))
        former = entry.old.get(_SCOPE, "") if entry else ""
        before = {n: grant.get(n) for n in ("id", *_ENDS["consent"], "scope")}
        given.append(
            (f"/oauth2PermissionGrants/{grant['id']}", {"kind": "consent", **before, "former": former}, verdict)
        )
    return given


def _gave(entry: trail.Entry, grant: Json) -> bool:
    ends = {grant["clientId"], grant["resourceId"], grant.get("principalId") or grant["clientId"]}
    kind = entry.new.get("DelegatedPermissionGrant.ConsentType")
    return entry.activity == _CONSENT.lower() and ends <= entry.about and kind == grant["consentType"]


async def _owners(azure: "Azure", case: "Case", found: Registration) -> list[Given]:
    """Who owns either of its two objects."""
    given: list[Given] = []
    for path, held in (await registration.owners(azure, found)).items():
        log = await trail.of_target(azure, case, path.rpartition("/")[2])
        for owner in held:
            entry = log.last(_OWNER, owner["id"], path.rpartition("/")[2])
            before, resource = {"kind": "owner", "id": owner["id"]}, f"{path}/owners/{owner['id']}"
            verdict = trail.verdict(case, entry) if entry else trail.absent(case, log, resource)
            given.append((resource, before, verdict))
    return given


def _summary(name: str, before: Json, names: "dict[str, str]") -> str:
    def called(id_: str | None) -> str:
        return names.get(str(id_), str(id_))

    if before["kind"] == "owner":
        return f"make {called(before['id'])} no owner of the application {name} any more"
    if before["kind"] == "role":
        return (
            f"take the permission {before['appRoleId']} of {called(before['resourceId'])} from the application {name}"
        )
    scope, former = before["scope"].strip(), before["former"].strip()
    whom = "everyone" if before["consentType"] == "AllPrincipals" else called(before["principalId"])
    title = f"consent that lets {name} act as {whom} in {called(before['resourceId'])} ({scope})"
    return f"take the {title} back to {former}" if former else f"revoke the {title}"


def _taken(now: Json | None, before: Json) -> bool:
    former = before.get("former")
    return now is None if not former else now is not None and now["scope"] == former


async def _now(azure: "Azure", change: Change) -> Json | None:
    """What was given, as it is; by its ends, since what is given back has a new id."""
    before = change.before
    if before["kind"] == "owner":
        found = await _list(azure, change.resource.rpartition("/")[0])
    elif before["kind"] == "role":
        found = await _list(azure, f"/servicePrincipals/{segment(before['principalId'])}/appRoleAssignments")
    else:
        found = await _list(azure, f"/servicePrincipals/{segment(before['clientId'])}/oauth2PermissionGrants")
    return next((g for g in found if all(g.get(end) == before[end] for end in _ENDS[before["kind"]])), None)


async def _list(azure: "Azure", path: str) -> list[Json]:
    with absent_is_fine():
        return [g async for g in azure.graph_pages(path)]
    return []
