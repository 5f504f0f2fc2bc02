"""What PIM asks of who activates a role: management policies (2020-10-01), read, and changed rule by rule.

Every role has one at every scope, with Azure's own defaults, until somebody changes a rule there.
"""

import re
from typing import Any

from sandbox.azure import authorization, rbac, roles
from sandbox.azure.errors import bad_request
from sandbox.azure.lists import page
from sandbox.azure.pim import READ, WRITE, absent
from sandbox.azure.router import Call, Reply, Room
from sandbox.azure.well_known import made_up_id
from sandbox.azure.world import World

Json = dict[str, Any]

TYPE = "Microsoft.Authorization/roleManagementPolicies"
LINK = "Microsoft.Authorization/roleManagementPolicyAssignments"
_POLICIES, _LINKS = f"/{{scope}}/providers/{TYPE}", f"/{{scope}}/providers/{LINK}"

room = Room("Microsoft.Authorization")


def _rule(kind: str, what: str, level: str, more: Json) -> Json:
    caller = "Admin" if what.startswith("Admin") else "EndUser"
    target = {"caller": caller, "operations": ["All"], "level": level, "targetObjects": None, "enforcedSettings": None}
    id_ = f"{kind}_{caller}_{level}"
    return {**more, "id": id_, "ruleType": f"RoleManagementPolicy{kind}Rule", "target": target}


_APPROVAL: Json = {"isApprovalRequired": False, "approvalMode": "SingleStage", "approvalStages": []}
_DEFAULT = (
    _rule("Expiration", "Admin", "Eligibility", {"isExpirationRequired": False, "maximumDuration": "P365D"}),
    _rule("Expiration", "Admin", "Assignment", {"isExpirationRequired": False, "maximumDuration": "P180D"}),
    _rule("Expiration", "EndUser", "Assignment", {"isExpirationRequired": True, "maximumDuration": "PT8H"}),
    _rule("Enablement", "EndUser", "Assignment", {"enabledRules": ["Justification"]}),
    _rule("Approval", "EndUser", "Assignment", {"setting": _APPROVAL}),
)


def rules(world: World, scope: str, role: str) -> dict[str, Json]:
    """The rules for a role (a GUID) at a scope, by id."""
    changed = world.get(_id(scope, role))
    own = {r["id"]: r for r in (changed.properties.get("rules") or ())} if changed else {}
    return {r["id"]: r for r in _DEFAULT} | own


@room.on("GET", _LINKS, READ)
async def list_links(call: Call) -> Reply:
    """List which policy is in force for which role at a scope."""
    return page(call, [_link(call, role) for role in _roles(call)])


@room.on("GET", _POLICIES, READ)
async def list_policies(call: Call) -> Reply:
    """List the policies at a scope."""
    return page(call, [_policy(call, role) for role in _roles(call)])


@room.on("GET", f"{_POLICIES}/{{name}}", READ)
async def get_policy(call: Call) -> Reply:
    """Read one policy."""
    return Reply(200, _policy(call, _named(call)))


@room.on("PATCH", f"{_POLICIES}/{{name}}", WRITE)
async def patch_policy(call: Call) -> Reply:
    """Replace the rules that the body names."""
    role, scope = _named(call), call.params["scope"]
    given = (call.body.get("properties") or {}).get("rules") or []
    known = rules(call.world, scope, role)
    unknown = [str(r.get("id")) for r in given if r.get("id") not in known]
    if unknown:
        raise bad_request("InvalidPolicyRule", f"The policy rules '{', '.join(unknown)}' are invalid.")
    kept = list((known | {r["id"]: r for r in given}).values())
    call.world.put(_id(scope, role), {"type": TYPE, "properties": {"rules": kept}}, call.author, call.version)
    return Reply(200, _policy(call, role))


def _roles(call: Call) -> list[str]:
    text = call.query.get("$filter", "")
    custom = [r.name for r in call.world.list(rbac.DEFINITION)]
    match = re.fullmatch(r"roleDefinitionId\s+eq\s+'(?:.*/)?([^/']+)'", text.strip(), re.IGNORECASE)
    if text and not match and text.strip().lower() != "atscope()":
        raise bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return [r for r in (*roles.BY_ID, *custom) if not match or r == match[1].lower()]


def _named(call: Call) -> str:
    name = call.params["name"].lower()
    found = next((r for r in _roles(call) if _name(call.params["scope"], r) == name), None)
    if found is None:
        raise absent(TYPE, name)
    return found


def _name(scope: str, role: str) -> str:
    return made_up_id("policy", scope, role)


def _id(scope: str, role: str) -> str:
    return f"{scope}/providers/{TYPE}/{_name(scope, role)}"


def _policy(call: Call, role: str) -> Json:
    scope = call.params["scope"]
    kept = list(rules(call.world, scope, role).values())
    properties = {"scope": scope or "/", "isOrganizationDefault": False, "rules": kept, "effectiveRules": kept}
    return {"id": _id(scope, role), "name": _name(scope, role), "type": TYPE, "properties": properties}


def _link(call: Call, role: str) -> Json:
    scope = call.params["scope"]
    name = f"{_name(scope, role)}_{role}"
    properties = {
        "scope": scope or "/",
        "roleDefinitionId": authorization.role_id(scope, role),
        "policyId": _id(scope, role),
        "effectiveRules": list(rules(call.world, scope, role).values()),
    }
    return {"id": f"{scope}/providers/{LINK}/{name}", "name": name, "type": LINK, "properties": properties}
