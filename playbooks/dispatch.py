"""From what is known of an incident to its subjects, and from each to its playbook. One table."""

from collections.abc import Collection, Mapping

from playbooks import guests, managed_identities, service_principals, subscriptions, users, vms
from playbooks.step import Step
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.investigation.findings import RAN_CODE
from responders.model import Case, Principal, Subject, SubjectKind

PLAYBOOKS: Mapping[SubjectKind, tuple[Step, ...]] = {
    "user": users.STEPS,
    "guest": guests.STEPS,
    "service_principal": service_principals.STEPS,
    "managed_identity": managed_identities.STEPS,
    "subscription": subscriptions.STEPS,
    "vm": vms.STEPS,
}
_VM, _SET = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets"


def subjects(case: Case) -> tuple[Subject, ...]:
    """Who and what is held to be compromised, each with the reason."""
    people = [_person(s) for s in case.suspects]
    where = Subject(
        kind="subscription", id=case.subscription, reason=f"the alert {case.alert.type} was raised on this subscription"
    )
    machines: dict[str, Subject] = {}
    for text, reason in [
        *((r, "the alert names it") for alert in (case.alert, *case.joined) for r in alert.resources),
        *((f.resource, f.reason) for f in case.findings if f.is_deed and f.operation in RAN_CODE),
        *((machine.id, machine.reason) for machine in case.machines),
    ]:
        vm = _machine(text, {case.subscription, *(s.id for s in case.others)})
        if vm:
            machines.setdefault(vm.lower(), Subject(kind="vm", id=vm, name=_name(vm), reason=reason))
    return (*(p for p in people if p), where, *case.others, *machines.values())


def step(kind: SubjectKind, action: str) -> Step:
    """The step of that action in a playbook. What is in none, two people have to approve.

    An order comes from where the engine keeps its runs: whoever can write there could name another gate in it.
    """
    return next((step for step in PLAYBOOKS[kind] if step.action == action), Step(action, "two"))


def by_hand(case: Case) -> tuple[str, ...]:
    """What no playbook covers, in sentences that say what a person has to do.

    Of somebody of another tenant the subscription's playbook tells: it looks for the delegation that lets him in.
    """
    todo = {
        "group": "is a group: review its members",
        "unknown": "is not known to the directory: find out who it is",
    }
    lines = [f"{s.name or s.id} {todo[s.kind]}." for s in case.suspects if s.kind in todo]
    if not case.suspects:
        lines.append("The alert names nobody: find out in the Activity Log who acted, and run the incident again.")
    return tuple(lines)


def _person(suspect: Principal) -> Subject | None:
    kind = suspect.kind
    if kind == "foreign" or kind == "group" or kind == "unknown":  # noqa: PLR1714  this is what mypy narrows by
        return None
    name = suspect.upn or suspect.name
    return Subject(kind=kind, id=suspect.id, name=name, reason=suspect.because or "the alert names it as the actor")


def _name(machine: str) -> str:
    """The name of a machine; of an instance with that of its scale set: its own is a number."""
    at = ResourceId.parse(machine)
    return "_".join(at.names)


def _machine(text: str, subscriptions: Collection[str]) -> str | None:
    """The virtual machine or instance of a scale set that a resource id of these subscriptions is, or lies beneath."""
    try:
        resource = ResourceId.parse(text)
    except Permanent:
        return None  # the log and alerts also hold things that are no ids; what isn't one can't be a machine of ours
    kind, home = resource.type.lower(), f"/subscriptions/{resource.subscription}/resourceGroups/{resource.group}"
    if resource.subscription not in subscriptions:
        return None
    if kind == _VM.lower() or kind.startswith(_VM.lower() + "/"):
        return f"{home}/providers/{_VM}/{resource.names[0]}"
    if kind == f"{_SET}/virtualMachines".lower() or kind.startswith(f"{_SET}/virtualMachines/".lower()):
        return f"{home}/providers/{_SET}/{resource.names[0]}/virtualMachines/{resource.names[1]}"
    return None
