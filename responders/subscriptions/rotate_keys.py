import asyncio
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from responders.azure import absent_is_fine, fine
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import former, inventory
from responders.subscriptions.key_kinds import KINDS, OTHER_WAYS, KeyKind

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_BY_TYPE = {name.lower(): (name, kind) for name, kind in KINDS.items()}
_SHORT = 8  # digits of a fingerprint: enough to see that it is another key, not enough to find out the key


class _Read(Struct, frozen=True, kw_only=True):
    """Keys that a suspect read."""

    id: ResourceId
    kind: KeyKind
    deed: Finding
    prints: dict[str, str]  # fingerprint by the key's name; {} where the resource is gone
    locked: str = ""  # why they can't be listed


class RotateKeys:
    """Make all keys of a resource anew, where a suspect read them: whoever holds the old ones is shut out.

    So is everybody else who connects with one, until he has the new one: it is irreversible. What Azure answers has
    the keys in it; of each a fingerprint of 32 bits is kept, to see whether it is another one already, and no more.
    """

    id = "subscriptions.rotate_keys"
    permissions = tuple(f"{name}/{right}" for name, kind in KINDS.items() for right in kind.rights)
    reversible = False
    undoes = Undoes(
        operations=tuple(
            f"{name}/{verb}/action"
            for name, kind in KINDS.items()
            for verb in (kind.lists, kind.renews, *OTHER_WAYS)
            if verb
        )
    )

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        deeds = _deeds(case, subject.id)
        room = asyncio.Semaphore(inventory.AT_ONCE)

        async def look(deed: Finding) -> _Read:
            async with room:
                return await _look(azure, deed)

        changes, kept, by_hand = list[Change](), list[str](), list[str]()
        for one in await asyncio.gather(*(look(deed) for deed in deeds.values())):
            verdict, label = former.judge(case, one.deed), f"{one.id.type} {_name(one.id)}"
            if verdict.familiarity == "familiar":
                kept.append(f"the keys of {label}: {'; '.join(verdict.reasons)}")
            elif one.locked:
                by_hand.append(f"The keys of {one.id.text} were read, and are to be made anew by hand: {one.locked}")
            elif not one.prints:
                kept.append(f"the keys of {label}: it is gone")
            else:
                changes.append(_change(one, label, verdict))
        reason = "" if changes else f"Of {len(deeds)} resources whose keys the suspects read none is to get new ones."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=tuple(kept),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        id_, kind = _of(change)
        old = await _same(azure, change)
        if not old:
            return Outcome(status="already_so", reason="All of its keys are other ones already.")
        for key in (key for key in kind.keys if key.name in old):
            path = f"{id_.text}/{key.path or kind.renews}"
            await azure.arm(
                key.method, path, kind.version, body=key.body
            )  # the answer goes no further: it has the keys
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        if old := await _same(azure, change):
            raise Temporary(f"{len(old)} keys of {change.resource} are the old ones still.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        return Outcome(status="failed", reason=f"Nobody can bring a key back. {change.lasting}")


def _change(one: _Read, label: str, verdict: Verdict) -> Change:
    return Change(
        action=RotateKeys.id,
        resource=one.id.text,
        summary=f"make the {len(one.prints)} keys of {label} anew; {one.kind.uses} is cut off until he has the new one",
        reasons=(one.deed.reason, *verdict.reasons),
        before={"keys": one.prints},
        lasting=f"The old keys are lost: {one.kind.uses} needs the new ones.",
        familiarity=verdict.familiarity,
    )


def _deeds(case: Case, subscription: str) -> dict[str, Finding]:
    """The first time that a suspect read the keys of each resource."""
    found: dict[str, Finding] = {}
    for finding in sorted(case.findings, key=lambda f: f.at):
        of, _, verb = finding.operation.lower().removesuffix("/action").rpartition("/")
        if not finding.is_deed or of not in _BY_TYPE:
            continue
        kind = _BY_TYPE[of][1]
        id_ = ResourceId.read(finding.resource)
        here = id_ is not None and id_.subscription == subscription.lower() and id_.type.lower() == of
        if here and verb in {kind.lists.lower(), kind.renews.lower(), *OTHER_WAYS}:
            found.setdefault(finding.resource.lower(), finding)
    return found


async def _look(azure: "Azure", deed: Finding) -> _Read:
    id_ = ResourceId.parse(deed.resource)
    kind = _BY_TYPE[id_.type.lower()][1]
    prints: dict[str, str] = {}
    with fine("ScopeLocked") as refused:
        prints = await _prints(azure, id_, kind)
    return _Read(id=id_, kind=kind, deed=deed, prints=prints, locked=refused.get("ScopeLocked", ""))


async def _prints(azure: "Azure", id_: ResourceId, kind: KeyKind) -> dict[str, str]:
    """The fingerprints of a resource's keys by their names; {} when it is gone."""
    with absent_is_fine():
        answer = await azure.arm("POST", f"{id_.text}/{kind.lists}", kind.version)
        found = dict(_pairs(answer))
        wanted = ((key.name, found.get(key.name.lower())) for key in kind.keys)
        return {name: hashlib.sha256(value.encode()).hexdigest()[:_SHORT] for name, value in wanted if value}
    return {}


def _pairs(answer: Any) -> Iterator[tuple[str, str]]:
    """Names, in lower case, and values of keys, in whatever shape a type lists them."""
    if isinstance(answer, list):
        for item in answer:
            yield from _pairs(item)
    elif isinstance(answer, dict):
        fields = {name.lower(): value for name, value in answer.items()}
        name, value = fields.get("keyname") or fields.get("name"), fields.get("value")
        if isinstance(name, str) and isinstance(value, str):
            yield name.lower(), value
        for inner, value in fields.items():
            if isinstance(value, str):
                yield inner, value
            else:
                yield from _pairs(value)


async def _same(azure: "Azure", change: Change) -> dict[str, str]:
    """Those keys that are still the ones of the plan."""
    now, before = await _prints(azure, *_of(change)), change.before["keys"]
    return {name: mark for name, mark in now.items() if before.get(name) == mark}


def _of(change: Change) -> tuple[ResourceId, KeyKind]:
    id_ = ResourceId.parse(change.resource)
    return id_, _BY_TYPE[id_.type.lower()][1]


def _name(id_: ResourceId) -> str:
    return "/".join(id_.names)
