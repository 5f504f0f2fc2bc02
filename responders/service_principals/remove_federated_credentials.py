from typing import TYPE_CHECKING

from responders.azure import absent_is_fine, segment
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Undoes
from responders.service_principals import credentials

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Subject


class RemoveFederatedCredentials:
    """Remove an application's federated credentials of unfamiliar origin.

    Each lets whoever holds a token of some other issuer sign in as the application, without any secret: a back door
    that no rotation closes (DELETE /applications/{id}/federatedIdentityCredentials/{id}).
    """

    id = "service_principals.remove_federated_credentials"
    permissions = ("Application.ReadWrite.All", "AuditLog.Read.All")
    reversible = True
    undoes = Undoes()

    async def plan(self, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        held = await credentials.read(azure, case, subject)
        return credentials.removal(self.id, "federated credential", subject, held)

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The federated credential is gone already.")
        with absent_is_fine():
            await azure.graph("DELETE", f"{_path(change)}/{segment(now['id'])}")
        if _essence(now) != _essence(change.before):
            # Whoever has a back door trust somebody else keeps the back door.
            reason = f"At the end it trusted {now['issuer']} for {now.get('subject')}."
            return Outcome(status="done", reason=reason, after=now)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"The federated credential {change.before['name']} of {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is not None:
            same = _essence(now) == _essence(change.before)
            reason = "It is there again already." if same else "Another federated credential has its name now."
            return Outcome(status="already_so" if same else "failed", reason=reason)
        await azure.graph("POST", _path(change), body=_essence(change.before))
        return Outcome(status="done", reason="It has another id than before.")


async def _read(azure: "Azure", change: Change) -> Json | None:
    """The credential of that name, which is unique in its application and never changes."""
    held = await azure.graph_list(_path(change))
    return next((entry for entry in held if entry["name"] == change.before["name"]), None)


def _path(change: Change) -> str:
    return f"{change.resource}/federatedIdentityCredentials"


def _essence(entry: Json) -> Json:
    return {k: v for k, v in entry.items() if k != "id" and not k.startswith("@") and v is not None}
