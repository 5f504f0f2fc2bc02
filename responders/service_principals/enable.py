from typing import TYPE_CHECKING

from responders import trail
from responders.errors import Temporary
from responders.model import Case, Change, Outcome, Plan, Subject, Undoes
from responders.service_principals import credentials, disable
from responders.service_principals.credentials import Held
from responders.trail import Entry
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure


class Enable:
    """Give a familiar application back to its owners: let it sign in again (PATCH /servicePrincipals/{id}).

    The last step, once no credential that a suspect gave it is left, and only if it was this responder that disabled
    it, as the incident or Entra's audit log has it. One of which neither tells is offered, unless it acted in the
    window, and so was enabled then.
    """

    id = "service_principals.enable"
    permissions = ("Application.ReadWrite.All", "AuditLog.Read.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: Case, subject: Subject, azure: "Azure") -> Plan:
        held = await credentials.read(azure, case, subject)
        if held is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no service principal {subject.id}.")
        name = held.registration.name
        if held.registration.principal["accountEnabled"]:
            return Plan(action=self.id, subject=subject, reason=f"{name} is enabled.")
        log = await trail.of_target(azure, case, held.registration.id, ours=True)
        last = next((entry for entry in log.entries if "AccountEnabled" in entry.new), None)
        ours = case.changed("service_principals.disable", f"/servicePrincipals/{held.registration.id}") or (
            last is not None and last.by == await azure.own_id()
        )
        if why := _stays(held, None if ours else last):
            reason = f"{name} is not given back."
            return Plan(action=self.id, subject=subject, reason=reason, kept=(f"{name} stays disabled: {why}",))
        # What acted in the window was enabled in it: then nobody had disabled it before.
        known = (
            ours or not _taken_over(case, subject) or any(f.caller.lower() == subject.id.lower() for f in case.findings)
        )
        left = f"{name} has {len(held.credentials)} credentials" if held.credentials else f"{name} has no credential"
        change = Change(
            action=self.id,
            resource=f"/servicePrincipals/{held.registration.id}",
            summary=f"let the application {name} sign in again",
            reasons=(
                f"nothing that a suspect gave it is left: {left}; {held.owners} should know",
                "a token that the intruder still has works again until an hour after it was given out: wait for that",
                *(() if known else ("whether it was disabled before the incident is not known",)),
            ),
            before={"accountEnabled": False, "appId": held.registration.principal["appId"]},
            principals=(held.registration.id,),
            familiarity="unfamiliar" if known else "unknown",
        )
        return Plan(action=self.id, subject=subject, changes=(change,))

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        found = await disable.read(azure, change.principals[0])
        if found is None or found["appId"] != change.before["appId"]:
            return Outcome(status="drifted", reason="The service principal is gone.")
        if found["accountEnabled"]:
            return Outcome(status="already_so", reason="It is enabled already.")
        await disable.switch(azure, change, enabled=True)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        found = await disable.read(azure, change.principals[0])
        if found is not None and not found["accountEnabled"]:
            raise Temporary(f"The application {found['displayName']} still shows as disabled.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        found = await disable.read(azure, change.principals[0])
        if found is None or not found["accountEnabled"]:
            return Outcome(status="already_so", reason="It can't sign in already.")
        await disable.switch(azure, change, enabled=False)
        return Outcome(status="done")


def _stays(held: Held, by_another: Entry | None) -> str:
    """Why the application is not given back; "" when it is."""
    if held.doomed:
        return "a suspect made it"
    left = [c.label for c in held.credentials if c.verdict.familiarity == "unfamiliar"]
    if left:
        return f"it still has {', '.join(left)}"
    if by_another:
        return f"{by_another.name or by_another.by} saw to that, {utc(by_another.at)}"
    return ""


def _taken_over(case: Case, subject: Subject) -> bool:
    """Whether it is a suspect only for what another did to it, so that it need not have signed in."""
    suspect = case.suspect(subject.id)
    return bool(suspect and suspect.because)
