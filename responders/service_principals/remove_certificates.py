from typing import TYPE_CHECKING

from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.service_principals import credentials, registration

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemoveCertificates:
    """Remove an application's certificates of unfamiliar origin (PATCH keyCredentials with the others).

    The application and its service principal hold a list each: both are looked through. Graph has no other way without
    the private key, so the list is read again right before it is written, and the changes of one object are made one
    after the other.
    """

    id = "service_principals.remove_certificates"
    permissions = ("Application.ReadWrite.All", "AuditLog.Read.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        held = await credentials.read(azure, case, subject)
        return credentials.removal(self.id, "certificate", subject, held)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        listed = await _read(azure, change)
        now = _same(listed or [], change)
        if listed is None or now is None:
            return Outcome(status="already_so", reason="The certificate is gone already.")
        await _write(azure, change, [entry for entry in listed if entry is not now])
        if _same(await _read(azure, change) or [], change) is not None:
            # The next change of this object must not begin with a list that still has it.
            raise Temporary(f"That {change.before['keyId']} was removed from {change.resource} does not show.")
        if now != change.before:
            # Whoever puts another one under the key id of a back door keeps the back door.
            return Outcome(status="done", reason="There was another certificate of that key id at the end.", after=now)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if _same(await _read(azure, change) or [], change) is not None:
            raise Temporary(f"The certificate {change.before['keyId']} of {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        listed = await _read(azure, change)
        if listed is None:
            return Outcome(status="failed", reason="Its application is gone: restore it from the deleted items first.")
        if (now := _same(listed, change)) is not None:
            if now != change.before:
                return Outcome(status="failed", reason="Another certificate has its key id now.", after=now)
            return Outcome(status="already_so", reason="It is there again already.")
        await _write(azure, change, [*listed, change.before])
        return Outcome(status="done")


async def _read(azure: "Azure", change: Change) -> list[Json] | None:
    """All certificates of the object, with their public parts; None when it is gone."""
    holder = await registration.holder(azure, change.resource)
    return None if holder is None else list(holder["keyCredentials"])


def _same(listed: list[Json], change: Change) -> Json | None:
    return next((entry for entry in listed if entry["keyId"] == change.before["keyId"]), None)


async def _write(azure: "Azure", change: Change, listed: list[Json]) -> None:
    await azure.graph("PATCH", change.resource, body={"keyCredentials": listed})
