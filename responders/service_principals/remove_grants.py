from typing import TYPE_CHECKING

from responders import app_roles, consents, directory, trail
from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes, Verdict
from responders.service_principals import registration
from responders.service_principals.registration import Registration

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject

_OWNER = ("Add owner to application", "Add owner to service principal")  # as the log calls it

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
        roles = await app_roles.judged(azure, case, "servicePrincipals", found.id)
        given = [
            *((resource, {"kind": "role", **role}, verdict) for resource, role, verdict in roles),
            *await _consents(azure, case, found),
            *await _owners(azure, case, found),
        ]
        ids = {str(item[end]) for _, item, _ in given for end in ("resourceId", "principalId") if item.get(end)}
        ids |= {item["id"] for _, item, _ in given if item["kind"] == "owner"}
        names = await directory.names(azure, ids) if ids else {}
        changes, kept = list[Change](), list[str]()
        for resource, before, verdict in given:
            summary = _summary(found.name, before, names)
            if verdict.left_alone:
                kept.append(f"{summary}: no, {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=resource,
                summary=summary,
                reasons=verdict.reasons,
                before=before,
                principals=tuple(dict.fromkeys((found.id, *([before["id"]] if before["kind"] == "owner" else [])))),
                lasting=_lasting(before),
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else f"{found.name} was given nothing in the window."
        awaits = trail.awaits(verdict for _, _, verdict in given)
        return Plan(
            action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), awaits=awaits
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        match change.before["kind"]:
            case "role":
                return await app_roles.apply(azure, change, "servicePrincipals")
            case "consent":
                return await consents.apply(azure, change)
        if not await _owns(azure, change):
            return Outcome(status="already_so", reason="It is taken back already.")
        with absent_is_fine():
            await azure.graph("DELETE", f"{change.resource}/$ref")
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        match change.before["kind"]:
            case "role":
                shows = await app_roles.read(azure, change, "servicePrincipals") is not None
            case "consent":
                shows = await consents.shows(azure, change)
            case _:
                shows = await _owns(azure, change)
        if shows:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        match change.before["kind"]:
            case "role":
                return await app_roles.undo(azure, change, "servicePrincipals")
            case "consent":
                return await consents.undo(azure, change)
        if await _owns(azure, change):
            return Outcome(status="already_so", reason="It is given again already.")
        with absent_is_fine():
            body: Json = {"@odata.id": f"{azure.settings.graph}/v1.0/directoryObjects/{segment(change.before['id'])}"}
            await azure.graph("POST", f"{change.resource.rpartition('/')[0]}/$ref", body=body)
            return Outcome(status="done")
        return Outcome(status="failed", reason="One of its ends is gone: restore it first, then undo again.")


async def _consents(azure: "Azure", case: "Case", found: Registration) -> list[Given]:
    """Consents by which it acts as people."""
    held = await consents.given(azure, f"/servicePrincipals/{segment(found.id)}")
    log = await trail.of_activity(azure, case, consents.ACTIVITY) if held else trail.Trail(())
    given: list[Given] = []
    for grant in held:
        verdict, kept = consents.judge(case, log, grant, consents.entries(grant, log.entries))
        given.append((consents.path(grant), {"kind": "consent", **kept}, verdict))
    return given


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


def _summary(name: str, before: Json, names: dict[str, str]) -> str:
    def called(id_: str | None) -> str:
        return names.get(str(id_), str(id_))

    match before["kind"]:
        case "owner":
            return f"make {called(before['id'])} no owner of the application {name} any more"
        case "role":
            title = f"the permission {before['appRoleId']} of {called(before['resourceId'])}"
            return f"take {title} from the application {name}"
    return consents.summary(before, name, called(before["principalId"]), names)


def _lasting(before: Json) -> str:
    """What undo can't bring back."""
    match before["kind"]:
        case "owner":
            return ""
        case "role":
            return app_roles.LASTING
    return consents.lasting(before)


async def _owns(azure: "Azure", change: Change) -> bool:
    """Whether somebody is an owner of the object still, or again."""
    owners = await azure.graph_list(change.resource.rpartition("/")[0])
    return any(owner["id"] == change.before["id"] for owner in owners)
