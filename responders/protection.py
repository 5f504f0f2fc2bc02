"""What is never changed, whatever a plan says. Checked when a plan is made and again before each change."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from responders.ids import within
from responders.model import Change, Plan, Subject


def protected(change: Change, subject: Subject, guarded: Iterable[str], own: str) -> str:
    """Why this change must not be made; "" when it may be.

    `guarded` is what COUNTERSIGN_PROTECTED holds, `own` the object id of the responder's identity.
    """
    names = {change.resource, *change.principals, subject.id, subject.name, change.before.get("userPrincipalName")}
    touched = {str(name).lower() for name in names if name}
    if own and own.lower() in touched:
        return "it concerns the responder's own identity"
    for one in guarded:
        # What lies in a resource goes with it: nothing is changed either that holds something protected.
        holds = one.startswith("/") and (within(change.resource, one) or within(one, change.resource))
        if one.lower() in touched or holds:
            return f"{one} is protected by COUNTERSIGN_PROTECTED"
    return ""


def withhold(plan: Plan, guarded: Collection[str], own: str) -> Plan:
    """The plan without what is protected, which is listed among what is kept."""
    reasons = [protected(change, plan.subject, guarded, own) for change in plan.changes]
    if not any(reasons):
        return plan
    pairs = list(zip(plan.changes, reasons, strict=True))
    changes = tuple(change for change, why in pairs if not why)
    reason = plan.reason or ("" if changes else "All that would be changed is protected.")
    return replace(plan, changes=changes, reason=reason, kept=(*plan.kept, *_withheld(pairs)))


def _withheld(pairs: Iterable[tuple[Change, str]]) -> tuple[str, ...]:
    return tuple(f"{change.summary}: withheld, since {why}" for change, why in pairs if why)
