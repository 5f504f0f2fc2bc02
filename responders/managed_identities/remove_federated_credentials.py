from collections.abc import Iterator
from typing import TYPE_CHECKING

from responders import familiarity
from responders.azure import absent_is_fine, segment
from responders.errors import Permanent, Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Json, Outcome, Plan, Subject, Undoes, Verdict
from responders.utc import time_of

if TYPE_CHECKING:
    from responders.azure import Azure

_VERSION = "2023-01-31"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_TRUSTS = "federatedIdentityCredentials"


class RemoveFederatedCredentials:
    """Remove the federated credentials that a suspect put on a user-assigned managed identity in the window.

    Each lets whoever holds a token of some other issuer act as the identity, from anywhere. Tokens already given out
    live on for up to a day. Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials, api-version
    2023-01-31. What else a person has to do about the identity, and where, is said.
    """

    id = "managed_identities.remove_federated_credentials"
    permissions = (
        "Directory.Read.All",
        f"{_IDENTITY}/{_TRUSTS}/read",
        f"{_IDENTITY}/{_TRUSTS}/write",
        f"{_IDENTITY}/{_TRUSTS}/delete",
    )
    reversible = True
    undoes = Undoes(operations=(f"{_IDENTITY}/{_TRUSTS}/write",))

    async def plan(self, case: Case, subject: Subject, azure: "Azure") -> Plan:
        query = {"$select": "id,displayName,alternativeNames"}
        found = await azure.graph_read(f"/servicePrincipals/{segment(subject.id)}", query)
        if found is None:
            return Plan(action=self.id, subject=subject, reason=f"The directory has no managed identity {subject.id}.")
        name, resource = found["displayName"], _resource(found)
        by_hand = tuple(_by_hand(case, subject, name, resource))
        if resource is None or not resource.is_type(_IDENTITY):
            reason = f"{name} is the identity of one resource, which can have no federated credentials."
            return Plan(action=self.id, subject=subject, reason=reason, by_hand=by_hand)
        if resource.subscription not in {case.subscription, *(other.id for other in case.others)}:
            reason = f"{name} lies outside of the incident's subscriptions, in {resource.text}."
            todo = f"{reason} Look through its federated credentials there."
            return Plan(action=self.id, subject=subject, reason=reason, by_hand=(*by_hand, todo))
        changes, kept = list[Change](), list[str]()
        async for item in azure.arm_pages(f"{resource.text}/{_TRUSTS}", _VERSION):
            verdict = _judge(case, item)
            label = f"federated credential {item['name']} of {name} (trusts {_trusted(item)})"
            if verdict.familiarity == "familiar":
                kept.append(f"{label}: {'; '.join(verdict.reasons)}")
                continue
            change = Change(
                action=self.id,
                resource=item["id"],
                summary=f"remove the {label}",
                reasons=verdict.reasons,
                before=item,
                principals=(found["id"],),
                familiarity=verdict.familiarity,
            )
            changes.append(change)
        reason = "" if changes else f"{name} has no federated credential that a suspect put on it."
        return Plan(
            action=self.id, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), by_hand=by_hand
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is None:
            return Outcome(status="already_so", reason="The federated credential is gone already.")
        with absent_is_fine():
            await azure.arm("DELETE", change.resource, _VERSION)
        if now["properties"] != change.before["properties"]:
            # Whoever has a back door trust somebody else keeps the back door.
            return Outcome(status="done", reason=f"At the end it trusted {_trusted(now)}.", after=now)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change) is not None:
            raise Temporary(f"The federated credential {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change)
        if now is not None:
            same = now["properties"] == change.before["properties"]
            reason = "It is there again already." if same else "Another federated credential has its name now."
            return Outcome(status="already_so" if same else "failed", reason=reason)
        await azure.arm("PUT", change.resource, _VERSION, body={"properties": change.before["properties"]})
        return Outcome(status="done")


async def _read(azure: "Azure", change: Change) -> Json | None:
    return await azure.arm_read(ResourceId.parse(change.resource).text, _VERSION)


def _trusted(item: Json) -> str:
    """Whom it trusts. One whose subject an expression fits has no subject."""
    its = item.get("properties") or {}
    return f"{its.get('issuer') or 'an issuer that Azure does not tell'} for {its.get('subject') or 'no one subject'}"


def _judge(case: Case, item: Json) -> Verdict:
    """By what Azure has of its making; else by the Activity Log, which has every write of the window."""
    deed, logged = case.did(f"{_IDENTITY}/{_TRUSTS}/write", item["id"]), case.makers.get(item["id"].lower())
    made = time_of((item.get("systemData") or {}).get("createdAt"))
    if made is None and deed is None and logged is None and (gap := case.gap(item["id"])):
        return Verdict(familiarity="unknown", reasons=(f"Azure does not say when it was made, and {gap}",))
    if made is None and deed is None and logged is None and (case.findings or case.makers):
        return Verdict(familiarity="familiar", reasons=("nobody wrote it in the window, by the Activity Log",))
    # One that is older may have been given another issuer in the window.
    at = deed.at if deed else logged.at if logged else made
    return familiarity.judge(case, deed.caller if deed else None, at, deed, thing=item["id"])


def _resource(found: Json) -> ResourceId | None:
    """The resource that a managed identity is, or belongs to."""
    for name in found.get("alternativeNames") or []:
        if str(name).startswith("/"):
            try:
                return ResourceId.parse(name)
            except Permanent:
                return None  # not one of Resource Manager's
    return None


def _by_hand(case: Case, subject: Subject, name: str, resource: ResourceId | None) -> Iterator[str]:
    where = resource.text if resource else "a resource that Entra does not name"
    suspect = case.suspect(subject.id)
    if suspect and not suspect.because:
        yield (
            f"The alert names the managed identity {name} as the actor: whoever acts as it is in {where}, or where it "
            "is attached. Look through that, and detach the identity or rebuild the resource (its Contributor)."
        )
    deed = case.did(f"{_IDENTITY}/assign/action", resource.text) if resource else None
    if deed:
        yield f"{deed.name or deed.caller} attached {name} to a resource: detach {where} from it (its Contributor)."
