import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from responders import familiarity
from responders.errors import Temporary
from responders.ids import ResourceId, within
from responders.model import Case, Change, Json, Outcome, Plan, Principal, Undoes, Verdict
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_TYPE = "Microsoft.ManagedServices/registrationAssignments"
_CONTRACT = "Microsoft.ManagedServices/registrationDefinitions"
_VERSION = "2022-10-01"
_GROUPS = 20  # resource groups that are asked by themselves
# What Azure makes of a definition itself.
_MADE = frozenset({"manageeTenantId", "manageeTenantName", "managedByTenantName", "provisioningState"})


class RemoveDelegations:
    """End the Lighthouse delegations that a suspect made in the window, by which another tenant gets in.

    An older one is offered by name where a suspect of its tenant comes in by it, since ending it locks out all of that
    tenant. Its definition is kept as evidence, and deleted with it where a suspect made it too; undo puts both back.
    Nobody of another tenant can be disabled in this directory. Microsoft.ManagedServices/registrationAssignments and
    registrationDefinitions, api-version 2022-10-01.
    """

    id = "subscriptions.remove_delegations"
    permissions = (
        f"{_TYPE}/read",
        f"{_TYPE}/delete",
        f"{_TYPE}/write",
        f"{_CONTRACT}/read",
        f"{_CONTRACT}/delete",
        f"{_CONTRACT}/write",
        "Microsoft.Authorization/roleAssignments/write",  # whoever delegates a role must be able to give it
        "Microsoft.Authorization/roleDefinitions/read",
    )
    reversible = True
    undoes = Undoes(gone=True, along=("along",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        strangers = [s for s in case.suspects if s.kind == "foreign"]
        found = await _delegations(azure, subject.id, _groups(case, subject.id, strangers))
        doubtful: list[tuple[Json, Verdict]] = []
        kept, left, reached = [], [], set()
        for item in found:
            theirs = [s for s in strangers if s.tenant.lower() == _tenant(item)]
            reached |= {s.id for s in theirs}
            verdict = _verdict(case, item, theirs)
            if verdict.familiarity != "familiar":
                doubtful.append((item, verdict))
            elif theirs:
                kept.append(f"the delegation {_label(item)}: {'; '.join(verdict.reasons)}")
                left.append(
                    f"{_names(theirs)} of tenant {_tenant(item)} may come in by the delegation {_label(item)}, which "
                    "is known to be good: have that tenant block the account."
                )
        roles: dict[str, str] = {}
        if doubtful:
            listed = azure.authorization(subject.id).role_definitions.list(f"subscriptions/{subject.id}")
            roles = {str(d.name).lower(): str(d.role_name) async for d in listed}
        changes = await asyncio.gather(*(self._change(case, azure, found, *one, roles) for one in doubtful))
        left += [_elsewhere(s, subject.id) for s in strangers if s.id not in reached]
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason="" if changes else f"None of {len(found)} delegations was made by a suspect, or lets one in.",
            kept=tuple(kept),
            by_hand=tuple(left),
        )

    async def _change(
        self, case: Case, azure: "Azure", found: list[Json], item: Json, verdict: Verdict, roles: dict[str, str]
    ) -> Change:
        path = item["properties"]["registrationDefinitionId"]
        contract = await _read(azure, path)
        shared = sum(_contract_of(d) == path.lower() for d in found) > 1
        theirs = contract is not None and _judged(case, contract, _CONTRACT).familiarity == "unfamiliar"
        given = [a for a in _authorizations(item) if a.get("principalId")]
        says = [
            f"{a.get('principalIdDisplayName') or a['principalId']} becomes "
            f"{roles.get(str(a.get('roleDefinitionId')).lower(), a.get('roleDefinitionId'))}"
            for a in given
        ]
        bare = {n: v for n, v in item["properties"].items() if n != "registrationDefinition"}
        here = "/".join(item["id"].split("/")[:3])
        whole = theirs and not shared and within(path, here)
        return Change(
            action=self.id,
            resource=item["id"],
            summary=f"end the delegation {_label(item)}" + (", with its definition" if whole else ""),
            reasons=(*verdict.reasons, *([f"by it {', '.join(says)}"] if says else [])),
            before={
                "assignment": {**item, "properties": bare},
                "definition": contract,
                "both": whole,
                "along": [{"id": path}] * whole,
            },
            principals=tuple(dict.fromkeys(str(a["principalId"]) for a in given)),
            lasting="Undo can't bring back who made it, and when.",
            familiarity=verdict.familiarity,
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        before, path = change.before, _contract_of(change.before["assignment"])
        now, contract = await asyncio.gather(_read(azure, change.resource), _read(azure, path))
        left = contract if before["both"] else None
        if now is None and left is None:
            return Outcome(status="already_so", reason="The delegation is ended already.")
        changed = contract and before["definition"] and _essence(contract) != _essence(before["definition"])
        if changed or (now and _contract_of(now) != path):
            return Outcome(
                status="drifted", reason="The delegation is not what was approved any more.", after=now or {}
            )
        if now:
            if _state(now) != "deleting":
                await azure.arm("DELETE", change.resource, _VERSION)
            if left and await _read(azure, change.resource):
                raise Temporary(f"The delegation {change.resource} is being ended; then its definition is deleted.")
        if left:
            await azure.arm("DELETE", path, _VERSION)
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if await _read(azure, change.resource):
            raise Temporary(f"The delegation {change.resource} still shows.")
        if change.before["both"] and await _read(azure, _contract_of(change.before["assignment"])):
            raise Temporary(f"The definition of the delegation {change.resource} still shows.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        was, path = change.before["definition"], change.before["assignment"]["properties"]["registrationDefinitionId"]
        now, contract = await asyncio.gather(_read(azure, change.resource), _read(azure, path))
        if now and _state(now) not in {"succeeded", ""}:
            raise Temporary(f"The delegation {change.resource} is still {_state(now)}.")
        if contract and was and _essence(contract) != _essence(was):
            return Outcome(status="failed", reason="Its definition is another one now: delegate anew by hand.")
        if now:
            same = _contract_of(now) == path.lower()
            reason = "It is there again already." if same else "Another delegation has its name now."
            return Outcome(status="already_so" if same else "failed", reason=reason)
        if contract is None:
            if was is None:
                return Outcome(status="failed", reason="Its definition was gone before: delegate anew by hand.")
            body = {"properties": _essence(was), **({"plan": was["plan"]} if was.get("plan") else {})}
            contract = await azure.arm("PUT", path, _VERSION, body=body)
        if _state(contract) not in {"succeeded", ""}:
            raise Temporary(f"The definition {path} is still {_state(contract)}.")
        await azure.arm("PUT", change.resource, _VERSION, body={"properties": {"registrationDefinitionId": path}})
        now = await _read(azure, change.resource)
        if now is None or _state(now) not in {"succeeded", ""}:
            raise Temporary(f"The delegation {change.resource} was made again, and does not count yet.")
        return Outcome(status="done", reason="Who first made it, and when, is in the evidence only.")


async def _delegations(azure: "Azure", subscription: str, groups: Iterable[str]) -> list[Json]:
    """The delegations of a subscription with their definitions; of a group, in case that list lacks it."""
    scopes = [f"/subscriptions/{subscription}", *groups]

    async def listed(scope: str) -> list[Json]:
        query = {"$expandRegistrationDefinition": "true"}
        return [d async for d in azure.arm_pages(f"{scope}/providers/{_TYPE}", _VERSION, query)]

    lists = await asyncio.gather(*(listed(scope) for scope in scopes))
    return list({d["id"].lower(): d for each in lists for d in each}.values())


def _groups(case: Case, subscription: str, strangers: list[Principal]) -> list[str]:
    """The resource groups in which a suspect of another tenant worked, or a suspect delegated something."""
    names = {name.lower() for s in strangers for name in (s.id, s.upn) if name}
    groups: dict[str, str] = {}
    for one in case.findings:
        delegated = one.operation.lower() == f"{_TYPE}/write".lower()
        if one.suspect and (delegated or {one.caller.lower(), one.name.lower()} & names):
            resource = one.resource.split("/")
            head = ["", "subscriptions", subscription, "resourcegroups"]
            # Of a write that failed, the log has whatever was asked for.
            group = ResourceId.read("/".join(resource[:5])) if [p.lower() for p in resource[:4]] == head else None
            if group and group.group:
                groups.setdefault(group.group.lower(), group.text)
    return list(groups.values())[:_GROUPS]


def _judged(case: Case, item: Json, kind: str) -> Verdict:
    stamps = item.get("systemData") or {}
    maker, at = stamps.get("createdBy"), time_of(stamps.get("createdAt"))
    deed = case.did(f"{kind}/write", item["id"])
    # What an undo put back has our mark on it; an older one only was written again.
    if deed and not case.suspect(maker) and (at is None or at >= case.since):
        maker, at = deed.caller, deed.at
    return familiarity.judge(case, maker, at, deed, thing=item["id"])


def _verdict(case: Case, item: Json, theirs: list[Principal]) -> Verdict:
    """Of a delegation: an older one that lets a suspect in is nobody's to judge but a person's."""
    verdict = _judged(case, item, _TYPE)
    wrote = (case.did(f"{_TYPE}/write", item["id"]), case.did(f"{_CONTRACT}/write", _contract_of(item)))
    if verdict.familiarity == "familiar" and not familiarity.vouched(case, item["id"]):
        for deed in filter(None, wrote):
            why = f"but {deed.name or deed.caller} wrote it again {utc(deed.at)}: look whom it lets in"
            verdict = Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))
    if not theirs or verdict.familiarity == "unfamiliar" or familiarity.vouched(case, item["id"]):
        return verdict
    given = {str(a.get("principalId")).lower() for a in _authorizations(item)}
    named = [s for s in theirs if s.id.lower() in given]
    how = f"it names {_names(named)}" if named else f"it is to the tenant of {_names(theirs)}, perhaps by a group"
    why = f"{how}, and ending it locks out all of tenant {_tenant(item)}: tell them"
    return Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))


def _elsewhere(stranger: Principal, subscription: str) -> str:
    return (
        f"{stranger.upn or stranger.name or stranger.id} is of tenant {stranger.tenant or 'unknown'}, and no "
        f"delegation (Azure Lighthouse) of subscription {subscription} is to it. If it came in by a partner's "
        "relationship (GDAP, or a role assignment to a foreign principal), a global administrator ends that at "
        "admin.microsoft.com under Settings, Partner relationships, and the partner in Partner Center under Customers, "
        "Admin relationships. Tell that tenant to block the account."
    )


async def _read(azure: "Azure", path: str) -> Json | None:
    return await azure.arm_read(ResourceId.parse(path).text, _VERSION)


def _contract(item: Json) -> Json:
    return (item["properties"].get("registrationDefinition") or {}).get("properties") or {}


def _authorizations(item: Json) -> list[Json]:
    contract = _contract(item)
    return [*(contract.get("authorizations") or ()), *(contract.get("eligibleAuthorizations") or ())]


def _tenant(item: Json) -> str:
    return str(_contract(item).get("managedByTenantId") or "").lower()


def _contract_of(item: Json) -> str:
    return str(item["properties"]["registrationDefinitionId"]).lower()


def _label(item: Json) -> str:
    contract = _contract(item)
    name = contract.get("registrationDefinitionName") or item["name"]
    whom = contract.get("managedByTenantName") or ""
    return f"{name} to tenant {_tenant(item)}{f' ({whom})' if whom else ''} at {ResourceId.parse(item['id']).scope}"


def _names(people: Iterable[Principal]) -> str:
    return ", ".join(p.upn or p.name or p.id for p in people)


def _state(item: Json) -> str:
    return str(item["properties"].get("provisioningState") or "").lower()


def _essence(contract: Json) -> Json:
    return {name: value for name, value in contract["properties"].items() if name not in _MADE and value is not None}
