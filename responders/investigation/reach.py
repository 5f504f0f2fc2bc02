"""How far suspects reached, as Azure itself tells: delegations, managed identities, other subscriptions.

Azure Monitor's log is asked for the window only, and of a provider where that is enough.
"""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from responders import activity_log, directory
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.model import Case, Json, Principal, Subject
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

PERMISSIONS = (
    *activity_log.PERMISSIONS,
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedServices/registrationAssignments/read",
)
MOST = 20_000  # events of a subscription that are looked at
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
# What gives whoever does it the identity's tokens.
_TAKING = {
    "/federatedidentitycredentials/write": "put a federated credential on it",
    "/userassignedidentities/assign/action": "attached it to a resource",
}


class Reach:
    """What is known of one subscription in the window; each part is read once."""

    def __init__(self, azure: "Azure", case: Case, subscription: str) -> None:
        self._azure, self._case, self.subscription = azure, case, subscription
        self._scope = f"/subscriptions/{subscription}"
        self._delegations: list[Json] | None = None
        self._events: list[Json] | None = None

    async def delegated(self, suspects: Collection[Principal]) -> AsyncIterator[tuple[Principal, Principal, datetime]]:
        """Whom they delegated the subscription to (Azure Lighthouse): each with who did it, and when."""
        if self._delegations is None:
            path = f"{self._scope}/providers/Microsoft.ManagedServices/registrationAssignments"
            query = {"$expandRegistrationDefinition": "true"}
            self._delegations = [d async for d in self._azure.arm_pages(path, "2022-10-01", query)]
        for item in self._delegations:
            stamps = item.get("systemData") or {}
            maker = _among(suspects, str(stamps.get("createdBy") or ""))
            if maker is None or not stamps.get("createdAt"):
                continue
            at = datetime.fromisoformat(stamps["createdAt"])
            contract = (item["properties"].get("registrationDefinition") or {}).get("properties") or {}
            for given in contract.get("authorizations") or ():
                stranger = Principal(
                    id=str(given["principalId"]).lower(),
                    kind="foreign",
                    name=str(given.get("principalIdDisplayName") or ""),
                    tenant=str(contract.get("managedByTenantId") or "").lower(),
                )
                if at >= (maker.since or self._case.since):
                    yield stranger, maker, at

    async def identities(
        self, suspects: Collection[Principal]
    ) -> AsyncIterator[tuple[Principal, Principal, str, datetime]]:
        """The user-assigned identities that they made or took over: each with who did it, what he did, and when."""
        if self._events is None:
            which = "resourceProvider eq 'Microsoft.ManagedIdentity'"
            self._events = [e async for e in self._log(which)]
        for event in self._events:
            maker, at = self._doer(event, suspects), _at(event)
            operation = activity_log.value(event, "operationName").lower()
            if maker is None or not activity_log.succeeded(event):
                continue
            verb = next((did for end, did in _TAKING.items() if operation.endswith(end)), "")
            if not verb and operation != f"{_IDENTITY}/write".lower():
                continue
            body = await self._identity(str(event.get("resourceId") or ""))
            made = time_of((body.get("systemData") or {}).get("createdAt"))
            if not verb and made and made >= self._case.since:
                verb = "made it"
            id_ = str((body.get("properties") or {}).get("principalId") or "")
            found = await directory.principal(self._azure, id_) if verb and id_ else None
            if found:
                yield found, maker, verb, at

    async def worked(self, suspects: Collection[Principal]) -> Subject | None:
        """The subscription as a subject, if one of them did something there."""
        seen = 0
        async for event in self._log(""):
            seen += 1
            if doer := self._doer(event, suspects):
                did = f"{activity_log.value(event, 'operationName')}, {utc(_at(event))}"
                chain = f"; {doer.because}" if doer.because else ""
                reason = f"{doer.upn or doer.name or doer.id} worked there too: {did}{chain}"
                return Subject(kind="subscription", id=self.subscription, reason=reason)
            if seen == MOST:
                raise Permanent(f"Its log has more than {MOST} events in the window.")
        return None

    async def _identity(self, text: str) -> Json:
        try:
            resource = ResourceId.parse(text)
        except Permanent:
            return {}  # the log also holds things that are no ids
        parts = f"{self._scope}/resourceGroups/{resource.group}/providers/{_IDENTITY}"
        if resource.subscription != self.subscription or not resource.type.lower().startswith(_IDENTITY.lower()):
            return {}
        return await self._azure.arm_read(f"{parts}/{resource.names[0]}", "2023-01-31") or {}

    def _log(self, which: str) -> AsyncIterator[Json]:
        return activity_log.events(self._azure, self.subscription, self._case.since, self._case.until, which)

    def _doer(self, event: Json, suspects: Collection[Principal]) -> Principal | None:
        claims = event.get("claims") or {}
        doer = _among(suspects, str(event.get("caller") or ""), str(claims.get(activity_log.OBJECT_ID) or ""))
        return doer if doer and _at(event) >= (doer.since or self._case.since) else None


def _among(suspects: Collection[Principal], *names: str) -> Principal | None:
    """The suspect with one of these names: object id, principal name, or id of an application."""
    wanted = {name.lower() for name in names if name}
    return next((s for s in suspects if wanted & {s.id.lower(), s.upn.lower(), s.app_id.lower()}), None)


def _at(event: Json) -> datetime:
    return datetime.fromisoformat(event["eventTimestamp"])
