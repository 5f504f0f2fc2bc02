"""The world as a score compares it: two snapshots are equal exactly when it is as it was before."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.azure.world import Resource, World

Json = dict[str, Any]

# What the platform writes by itself on each write: two worlds that differ in these alone are equal.
_STAMPS = frozenset(
    {"createdOn", "createdBy", "updatedOn", "updatedBy", "creationTime", "lastModifiedTime", "lastModifiedBy"}
    | {"registeredDateTime", "lastSeenDateTime", "enablementTime"}
    | {"lastStatusModifiedTime", "etag", "systemData", "signInSessionsValidFromDateTime"}
)
# Records of what happened, not part of how the world is.
_RECORDS = frozenset(
    {"microsoft.automation/automationaccounts/jobs", "microsoft.security/locations/alerts"}
    | {f"microsoft.authorization/role{what}schedulerequests" for what in ("eligibility", "assignment")}
)
# What the platform decides when a PIM schedule is made again: its beginning, and what made it. What was activated can
# be given back, but not as activated.
_AGAIN = (
    *("startDateTime", "roleEligibilityScheduleRequestId", "roleAssignmentScheduleRequestId"),
    *("assignmentType", "linkedRoleEligibilityScheduleId"),
)


def snapshot(world: "World") -> dict[str, Json]:
    """Every resource and directory object as it is, by key, without stamps and records."""
    found = dict(_plainly(world, r) for r in world if r.type.lower() not in _RECORDS)
    return found | world.directory.snapshot()


def _plainly(world: "World", resource: "Resource") -> tuple[str, Json]:
    """A resource's key and body without stamps; of what PIM made again under another name, the first name."""
    body = _plain(resource.body)
    first = world.state.get("pim", {}).get(resource.name)
    if first is None or not resource.type.lower().startswith("microsoft.authorization/role"):
        return resource.key, body
    id_ = f"{resource.id.rpartition('/')[0]}/{first}"
    properties = {k: v for k, v in body["properties"].items() if k not in _AGAIN}
    return id_.lower(), {**body, "id": id_, "name": first, "properties": properties}


def _plain(value: Any, inside: str = "") -> Any:
    """A copy without stamps. Tags are the customer's own, whatever they are called."""
    if isinstance(value, dict):
        keep = value.items() if inside == "tags" else ((k, v) for k, v in value.items() if k not in _STAMPS)
        return {k: _plain(v, k) for k, v in sorted(keep)}
    return [_plain(v) for v in value] if isinstance(value, list) else value
