"""What of an Automation account a suspect made in the window, what he changed, and what nobody can tell."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity
from responders.ids import ResourceId, within
from responders.model import Case, Finding, Json, Verdict
from responders.subscriptions import former
from responders.subscriptions.automation import ACCOUNT
from responders.utc import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from responders.azure import Azure

# What changes a runbook, or what it runs.
RUNBOOK_WRITES = ("runbooks/write", "runbooks/draft/write", "runbooks/draft/content/write", "runbooks/publish/action")
# The moments of Automation's kinds, each of which has one of them or none.
_MOMENTS = ("creationTime", "registeredDateTime")

_BEFORE = "which was there before"
PERMISSIONS = former.PERMISSIONS  # of `deleted`


def judge(case: Case, item: Json, collection: str) -> Verdict:
    """Whether something in an Automation account is known good: it is, if it was there before and no suspect wrote it.

    `collection`: its kind, as it is spelled in ids. Of what has no time of its own the log tells when it was made; what
    the log does not show either was there before.
    """
    deed, made = case.did(f"{ACCOUNT}/{collection}/write", item["id"]), made_at(item)
    logged = case.makers.get(item["id"].lower())
    if made is None and (deed or logged):
        made = min(one.at for one in (deed, logged) if one)
    if made is None and (gap := case.gap(item["id"])):
        return Verdict(familiarity="unknown", reasons=(f"Azure does not say when it was made, and {gap}",))
    if made is None:
        why = (
            "Azure does not say when it was made, and the Activity Log, read whole, has nobody writing it in the window"
        )
        return Verdict(familiarity="familiar", reasons=(why,))
    if made < case.since and not deed:
        return Verdict(familiarity="familiar", reasons=("it was there before the window, and no suspect wrote it",))
    maker = deed.caller if deed else None
    return familiarity.judge(case, maker, made, deed, thing=item["id"], tags=item.get("tags") or {})


def doubtful(case: Case, runbooks: "Iterable[Json]") -> set[str]:
    """The names, in lower case, of the runbooks that `subscriptions.remove_runbooks` proposes or offers."""
    judged = ((runbook["name"].lower(), judge(case, runbook, "runbooks")) for runbook in runbooks)
    return {name for name, verdict in judged if verdict.familiarity != "familiar"}


def verdict_on(case: Case, thing: str, found: "Iterable[Finding]") -> Verdict:
    """What is to be thought of what suspects did to something that was there before: the worst of it."""
    verdicts = [familiarity.judge(case, deed.caller, deed.at, deed, thing=thing) for deed in found]
    for worst in ("unfamiliar", "unknown"):
        for verdict in verdicts:
            if verdict.familiarity == worst:
                return verdict
    return verdicts[0]


def made_at(item: Json) -> datetime | None:
    """When it was made, if Azure says so."""
    properties, system = item.get("properties") or {}, item.get("systemData") or {}
    return time_of(next((properties[name] for name in _MOMENTS if properties.get(name)), system.get("createdAt")))


def deeds(case: Case, resource: str, *operations: str) -> list[Finding]:
    """What suspects did to a resource or to what lies beneath it, by operation beneath the account's type; in order."""
    wanted = {f"{ACCOUNT}/{operation}".lower() for operation in operations}
    found = (f for f in case.findings if f.is_deed and f.operation.lower() in wanted)
    return sorted((f for f in found if within(f.resource, resource)), key=lambda f: f.at)


class Loss(Struct, frozen=True, kw_only=True):
    """Something that suspects deleted."""

    deed: Finding
    was: str  # that it was there before, or why it perhaps was


async def deleted(case: Case, azure: "Azure", account: str, collection: str) -> list[Loss]:
    """What was there before, or perhaps was, and suspects deleted. What they made themselves is no loss.

    That they wrote it first does not make it theirs: that the log has of it no other's write, and that Automation
    answered 201, which it does only to what makes something.
    """
    found: dict[str, Loss] = {}
    for deed in deeds(case, account, f"{collection}/delete"):
        if deed.resource.lower() in found:
            continue
        made = case.did(f"{ACCOUNT}/{collection}/write", deed.resource)
        was = _BEFORE if made is None or made.at > deed.at else await _perhaps(case, azure, deed.resource)
        if was:
            found[deed.resource.lower()] = Loss(deed=deed, was=was)
    return list(found.values())


async def _perhaps(case: Case, azure: "Azure", resource: str) -> str:
    """That something was there before suspects wrote it, or perhaps was; "" where they made it."""
    id_ = ResourceId.read(resource)
    if id_ is None:
        return "which the suspect had written before, and which may be his own"
    was = await former.of(case, azure, id_.subscription, id_.text, datetime.now(UTC))
    if was.known and was.body is None:
        return ""
    if was.known or was.before:
        return _BEFORE
    return f"which the suspect had written before, and of which the log of the {was.reach} days before that has nothing"


def same(now: Json, before: Json) -> bool:
    """Whether it is still the same thing, however it was written to since: made at the same time."""
    return made_at(now) == made_at(before)


def stamp(item: Json) -> tuple[object, ...]:
    """What differs between two states of something in an account."""
    properties, system = item.get("properties") or {}, item.get("systemData") or {}
    said = (properties.get(name) for name in (*_MOMENTS, "lastModifiedTime", "state", "isEnabled"))
    return (*said, system.get("lastModifiedAt"))
