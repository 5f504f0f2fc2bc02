"""What a suspect put on a machine to run code in it, and how it is taken away and put back.

Extensions and managed run commands are alike: resources beneath a machine, whose secrets Azure never shows. They can be
changed and removed only while the machine runs. Microsoft.Compute/…, api-version 2024-07-01.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from responders import activity_log, familiarity, locks
from responders.errors import Temporary
from responders.model import Change, Json, Outcome, Plan, Verdict
from responders.utc import utc
from responders.vms import commands, locked, machine

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case, Finding, Subject
    from responders.vms.machine import Machine

_KEPT = timedelta(days=80)  # of the log, with a margin for an incident that waits
_SETTLED = frozenset({"Succeeded", "Failed"})
# Of what Azure answers, what no write may hold, or what says only how it went.
_HOW = frozenset({"provisioningState", "instanceView", "provisionedState"})


class Kind(NamedTuple):
    """What of a machine it is about."""

    collection: str  # as it is spelled in ids
    called: str
    secret: str  # what of it Azure never shows

    async def plan(self, action: str, case: "Case", subject: "Subject", azure: "Azure") -> Plan:
        """Remove what suspects put there in the window."""
        vm = await machine.to_clean(case, subject.id, azure)
        if isinstance(vm, str):
            return Plan(action=action, subject=subject, reason=vm)
        own, changes, kept = await azure.own_id(), list[Change](), list[str]()
        async for item in azure.arm_pages(f"{vm.id}/{self.collection}", commands.VERSION):
            verdict = await self._judge(case, item, vm, own, azure)
            if verdict.familiarity == "familiar":
                kept.append(f"the {self.called} {item['name']} of {vm.name}: {'; '.join(verdict.reasons)}")
            else:
                changes.append(await self._change(action, case, vm, item, verdict, azure))
        reason = f"No suspect put {self._some()} on {vm.name} in the window."
        if changes and (why := vm.hindrance("removal")):
            left = tuple(f"{c.summary}: {'; '.join(c.reasons)}. It is still there: {why}" for c in changes)
            reason = f"{self._some().capitalize()} can't be removed from {vm.name} now."
            return Plan(action=action, subject=subject, reason=reason, kept=tuple(kept), by_hand=left)
        reason = "" if changes else reason
        return Plan(action=action, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept))

    @locked.lifting
    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        """Remove one, unless it is another one by now."""
        now = await _read(azure, change.resource)
        if now is None:
            return Outcome(status="already_so", reason="It is gone already.")
        if _kind(_body(now)) != _kind(change.before["body"]):
            return Outcome(status="drifted", reason=f"Another {self.called} has its name now.", after=_body(now))
        if _state(now) != "Deleting":
            await commands.delete(azure, change.resource)
        if _body(now) != change.before["body"]:
            # By its id: whoever planted it may give it tags, or another script, at any time.
            return Outcome(status="done", reason="It was written to after the plan.", after=_body(now))
        return Outcome(status="done")

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        """See that it is gone."""
        if await _read(azure, change.resource) is not None:
            raise Temporary(f"It still shows: {change.summary}.")
        return Outcome(status="done")

    @locked.lifting
    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        """Put it back, without its secrets. Azure then runs it anew."""
        now = await _read(azure, change.resource)
        if now is None:
            await azure.arm("PUT", change.resource, commands.VERSION, body=change.before["body"])
            if (now := await _read(azure, change.resource)) is None or _state(now) not in _SETTLED:
                raise Temporary(f"{change.resource} was put back, and does not show as settled yet.")
            await locked.again(azure, change)
            return Outcome(status="done")
        if _body(now) != change.before["body"]:
            return Outcome(status="failed", reason=f"There is another {self.called} of that name, which is left alone.")
        again = await locked.again(azure, change)
        return Outcome(status="done") if again else Outcome(status="already_so", reason="It is there.")

    async def _judge(self, case: "Case", item: Json, vm: "Machine", own: str, azure: "Azure") -> Verdict:
        """Whether it is known good.

        Azure keeps no time of most of them: the log tells when they were written, and what it doesn't show was there
        before.
        """
        write = f"{machine.INSTANCE if vm.instance else machine.VM}/{self.collection}/write"
        deed, logged = case.did(write, item["id"]), case.makers.get(item["id"].lower())
        if deed is None and _state(item) == "Failed":
            deed = _tried(case, write, item["id"])
        if item["name"].startswith(commands.PREFIX) and not deed and (logged is None or logged.id.lower() == own):
            return Verdict(familiarity="familiar", reasons=("the responder made it",))
        gap = case.gap(item["id"])
        if not deed and logged is None and not gap:
            return Verdict(familiarity="familiar", reasons=("it was there before, and no suspect wrote it",))
        earlier = await activity_log.done(
            azure, item["id"], f"/{self.collection}/write", case.until - _KEPT, case.since
        )
        if any(activity_log.succeeded(event) for event in earlier):
            if not deed:
                return Verdict(familiarity="familiar", reasons=("it was there before, and no suspect wrote it",))
            when = utc(deed.at)
            why = f"it was there before, and a suspect wrote it anew {when}: what it was is not known"
            return Verdict(familiarity="unknown", reasons=(why,))
        if not deed and logged is None:
            return Verdict(familiarity="unknown", reasons=(f"Azure does not say when it was made, and {gap}",))
        made = min(one.at for one in (deed, logged) if one)
        maker = deed.caller if deed and deed.at == made else None
        return familiarity.judge(case, maker, made, deed, thing=item["id"], tags=item.get("tags") or {})

    async def _change(
        self, action: str, case: "Case", vm: "Machine", item: Json, verdict: Verdict, azure: "Azure"
    ) -> Change:
        p = item["properties"]
        kind = f" ({p.get('publisher')}.{p.get('type')})" if p.get("publisher") else ""
        own, _ = locks.in_the_way(await locked.read(azure, vm.id), [item["id"]])
        verdict = locks.respected(case, verdict, own)
        change = Change(
            action=action,
            resource=item["id"],
            summary=f"remove the {self.called} {item['name']}{kind} from {vm.name}",
            reasons=verdict.reasons,
            familiarity=verdict.familiarity,
            before={"vmId": vm.vm_id, "body": _body(item)},
            lasting=(
                "What it did in the machine stays. Undo puts it back, and so has it run once more, without its "
                f"{self.secret}, which Azure never shows."
            ),
        )
        return await locked.through(azure, case, change, deletes=(item["id"],))

    def _some(self) -> str:
        return f"an {self.called}" if self.called[0] in "aeiou" else f"a {self.called}"


async def _read(azure: "Azure", id_: str) -> Json | None:
    return await azure.arm_read(id_, commands.VERSION)


def _state(item: Json) -> str:
    return str(item["properties"].get("provisioningState", "Succeeded"))


def _kind(body: Json) -> tuple[str, ...]:
    """What an extension is of: it never changes, unless another one is put in its place."""
    return tuple(str(body["properties"].get(name)).lower() for name in ("publisher", "type"))


def _body(item: Json) -> Json:
    """What a PUT makes it anew with."""
    properties = {k: v for k, v in item["properties"].items() if k not in _HOW}
    return {**{k: item[k] for k in ("location", "tags") if item.get(k)}, "properties": properties}


def _tried(case: "Case", operation: str, resource: str) -> "Finding | None":
    """A suspect's first try at it that failed: Azure keeps what it was to run, and may run it with the next system."""
    wanted = operation.lower(), resource.lower()
    tries = (f for f in case.findings if f.suspect and (f.operation.lower(), f.resource.lower()) == wanted)
    return min(tries, key=lambda f: f.at, default=None)
