"""What is never changed, whatever a plan says. Checked when a plan is made and again before each change."""

from collections.abc import Iterable

from responders.ids import within
from responders.model import Change, Plan, Subject
from responders.settings import Settings


def protected(change: Change, subject: Subject, settings: Settings, own: str) -> str:
    """Why this change must not be made; "" when it may be. `own` is the object id of the responder's identity."""
    names = {change.resource, *change.principals, subject.id, subject.name, change.before.get("userPrincipalName")}
    touched = {str(name).lower() for name in names if name}
    if own and own.lower() in touched:
        return "it concerns the responder's own identity"
    for guarded in settings.protected:
        if guarded.lower() in touched or (guarded.startswith("/") and within(change.resource, guarded)):
            return f"{guarded} is protected by COUNTERSIGN_PROTECTED"
    return ""


def withhold(plan: Plan, settings: Settings, own: str) -> Plan:
    """The plan without what is protected, which is listed among what is kept."""
    reasons = [protected(change, plan.subject, settings, own) for change in plan.changes]
    if not any(reasons):
        return plan
    pairs = list(zip(plan.changes, reasons, strict=True))
    changes = tuple(change for change, why in pairs if not why)
    return Plan(
        action=plan.action,
        subject=plan.subject,
        changes=changes,
        reason=plan.reason or ("" if changes else "All that would be changed is protected."),
        kept=(*plan.kept, *_withheld(pairs)),
    )


def _withheld(pairs: Iterable[tuple[Change, str]]) -> tuple[str, ...]:
    return tuple(f"{change.summary}: withheld, since {why}" for change, why in pairs if why)
