import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity
from responders.azure import fine
from responders.errors import Temporary
from responders.ids import ResourceId
from responders.model import Case, Change, Finding, Json, Outcome, Plan, Undoes, Verdict
from responders.subscriptions import written
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Subject

_TYPE = "Microsoft.Authorization/roleDefinitions"
_VERSION = "2022-04-01"
_LISTS = ("actions", "notActions", "dataActions", "notDataActions")
_WRITE = f"{_TYPE}/write".lower()
_STILL = "RoleDefinitionHasAssignments"


class _Widened(Struct, frozen=True, kw_only=True):
    """A role that was there before, and that a suspect wrote in the window."""

    item: Json
    verdict: Verdict
    since: datetime  # his first write of it in the window


class RemoveRoleDefinitions:
    """Delete the custom roles that a suspect made in the window, and give those that he changed their permissions back.

    Azure keeps no versions of a role. What one was before is taken from the Activity Log: from the newest write before
    the suspect's first, as far back as Azure Monitor keeps it; where it has none, a person is told what the role
    allows now. A role that somebody still holds can't be deleted. Undo makes it again under the same GUID.
    Microsoft.Authorization/roleDefinitions, api-version 2022-04-01.
    """

    id = "subscriptions.remove_role_definitions"
    permissions = (
        *written.PERMISSIONS,
        f"{_TYPE}/read",
        f"{_TYPE}/delete",
        f"{_TYPE}/write",
    )
    reversible = True
    undoes = Undoes(operations=(f"{_TYPE}/write",))

    async def plan(self, case: Case, subject: "Subject", azure: "Azure") -> Plan:
        scope = f"/subscriptions/{subject.id}"
        query = {"$filter": "atScopeAndBelow()"}
        listed = [d async for d in azure.arm_pages(f"{scope}/providers/{_TYPE}", _VERSION, query)]
        roles = [role for role in listed if role["properties"].get("type") == "CustomRole"]
        changes, widened, kept, own = list[Change](), list[_Widened](), list[str](), await azure.own_id()
        for role in roles:
            made, deed = time_of(role["properties"].get("createdOn")), _deed(case, role)
            older = made is not None and made < case.since
            since = _changed(case, role, deed) if older else None
            if older and since is None:
                continue
            verdict = _judge(case, role, deed, since or made, own, changed=older)
            if verdict.familiarity == "familiar":
                kept.append(f"the custom role {role['properties']['roleName']}: {'; '.join(verdict.reasons)}")
            elif since:
                widened.append(_Widened(item=role, verdict=verdict, since=since))
            else:
                changes.append(_removal(self.id, role, verdict))
        back, as_before, by_hand = await _restored(self.id, case, azure, subject.id, widened)
        changes += back
        reason = "" if changes else f"None of {len(roles)} custom roles was made or changed by a suspect in the window."
        return Plan(
            action=self.id,
            subject=subject,
            changes=tuple(changes),
            reason=reason,
            kept=(*kept, *as_before),
            by_hand=tuple(by_hand),
        )

    async def apply(self, change: Change, azure: "Azure") -> Outcome:
        now, former = await _read(azure, change.resource), change.before["former"]
        if now is None:
            return Outcome(status="failed" if former else "already_so", reason="There is no such role any more.")
        if former and _essence(now) == former:
            return Outcome(status="already_so", reason="The role is as it was before.")
        # One that is deleted is deleted whatever its maker wrote into it since.
        if former and _essence(now) != change.before["role"]:
            return Outcome(status="drifted", reason="The role is not what was approved any more.", after=now)
        if former:
            await azure.arm("PUT", change.resource, _VERSION, body={"properties": former})
            return Outcome(status="done")
        with fine(_STILL):
            await azure.arm("DELETE", change.resource, _VERSION)
            if _essence(now) != change.before["role"]:
                return Outcome(status="done", reason="It was rewritten after the plan.", after=now)
            return Outcome(status="done")
        name = change.before["role"]["roleName"]
        raise Temporary(
            f"The custom role {name} is still assigned. If it stays so when subscriptions.strip_role_assignments is "
            "through, it is assigned elsewhere, or by somebody known: look with az role assignment list --all --role "
            f"{ResourceId.parse(change.resource).name}, delete those, and run the incident again."
        )

    async def verify(self, change: Change, azure: "Azure") -> Outcome:
        now = await _read(azure, change.resource)
        if (_essence(now) if now else None) != change.before["former"]:
            raise Temporary(f"It does not show yet: {change.summary}.")
        return Outcome(status="done")

    async def undo(self, change: Change, azure: "Azure") -> Outcome:
        now, role = await _read(azure, change.resource), change.before["role"]
        if now and _essence(now) == role:
            return Outcome(status="already_so", reason="The role is as it was again already.")
        if now and _essence(now) != change.before["former"]:
            return Outcome(status="failed", reason="The role was changed since by somebody else: look at it by hand.")
        await azure.arm("PUT", change.resource, _VERSION, body={"properties": role})
        return Outcome(status="done", reason="Who first made it, and when, is in the evidence only.")


async def _restored(
    action: str, case: Case, azure: "Azure", subscription: str, widened: Collection[_Widened]
) -> tuple[list[Change], list[str], list[str]]:
    """For roles that were changed: what would put them back, those that are as before, and what is left to a person."""
    changes, kept, by_hand = list[Change](), list[str](), list[str]()
    found = await asyncio.gather(
        *(written.before(azure, subscription, one.item["id"], _WRITE, one.since, case.until) for one in widened)
    )
    for one, writes in zip(widened, found, strict=True):
        role = _essence(one.item)
        # Only the newest tells what it was; and not what he himself had written before.
        source = next((w for w in writes if w.at < case.since or not case.suspect(w.by, w.at)), None)
        was = _asked(source.body) if source else None
        why = "; ".join(one.verdict.reasons).replace("made ", "changed ", 1)
        if source is None or was is None:
            by_hand.append(
                f"The custom role {role['roleName']} was changed ({why}), and the log has no earlier write to tell "
                f"what it was. It now allows {_said(role)}, in {', '.join(role['assignableScopes'])}: an Owner there "
                f"has to take back what does not belong to it (az role definition update), GUID {one.item['name']}."
            )
        elif was == role:
            kept.append(f"the custom role {role['roleName']}: changed, and now as it was before")
        else:
            told = f"what it was is told by its write of {utc(source.at)} by {source.by} (Activity Log)"
            reasons = (why, *_difference(was, role), told)
            changes.append(_change(action, one.item, one.verdict, was, reasons))
    return changes, kept, by_hand


def _deed(case: Case, role: Json) -> Finding | None:
    """The suspects' first write of a role that did not fail, at whichever scope they named it."""
    wrote = (f for f in case.findings if f.is_deed and f.operation.lower() == _WRITE)
    return min(
        (f for f in wrote if f.resource.lower().endswith(f"/{role['name'].lower()}")), key=lambda f: f.at, default=None
    )


def _changed(case: Case, role: Json, deed: Finding | None) -> datetime | None:
    """Since when an older role is as a suspect wrote it; None where none did."""
    at = time_of(role["properties"].get("updatedOn"))
    theirs = at and at >= case.since and case.suspect(role["properties"].get("updatedBy"), at)
    return deed.at if deed else at if theirs else None


def _judge(case: Case, role: Json, deed: Finding | None, at: datetime | None, own: str, *, changed: bool) -> Verdict:
    maker = role["properties"].get("updatedBy" if changed else "createdBy")
    other = maker if deed and maker and maker.lower() != own and not case.suspect(maker) else ""
    if deed and not case.suspect(maker):  # what an undo put back has our mark on it
        maker, at = deed.caller, deed.at
    verdict = familiarity.judge(case, maker, at, deed, thing=role["id"])
    if not other or verdict.familiarity != "unfamiliar":
        return verdict
    why = f"it was changed again, {role['properties'].get('updatedOn')}, by {other}, who is no suspect"
    return Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))


def _removal(action: str, item: Json, verdict: Verdict) -> Change:
    return _change(action, item, verdict, None, (*verdict.reasons, f"it allows {_said(_essence(item))}"))


def _change(action: str, item: Json, verdict: Verdict, former: Json | None, reasons: tuple[str, ...]) -> Change:
    role = _essence(item)
    verb = "give back what it was to" if former else "delete"
    return Change(
        action=action,
        resource=item["id"],
        summary=f"{verb} the custom role {role['roleName']}",
        reasons=reasons,
        before={"role": role, "former": former},
        familiarity=verdict.familiarity,
    )


def _difference(was: Json, now: Json) -> tuple[str, ...]:
    lines = []
    for name in _LISTS:
        old, new = ({a for p in role["permissions"] for a in p[name]} for role in (was, now))
        lines += [f"{name} it did not have before: {', '.join(sorted(new - old))}"] if new - old else []
        lines += [f"{name} it had before: {', '.join(sorted(old - new))}"] if old - new else []
    old, new = set(was["assignableScopes"]), set(now["assignableScopes"])
    lines += [f"scopes it could not be given at: {', '.join(sorted(new - old))}"] if new - old else []
    return tuple(lines)


def _said(role: Json) -> str:
    given = [action for p in role["permissions"] for action in (*p["actions"], *p["dataActions"])]
    return ", ".join(given) or "nothing"


def _essence(item: Json) -> Json:
    """What a PUT can bring back, in one spelling."""
    p = item["properties"]
    return {
        "roleName": p["roleName"],
        "type": "CustomRole",
        "description": p.get("description") or "",
        "assignableScopes": list(p["assignableScopes"]),
        "permissions": [{name: list(each.get(name) or ()) for name in _LISTS} for each in p.get("permissions") or ()],
    }


def _asked(body: Json) -> Json | None:
    """The role that a request wrote, from the log; None where the log does not have it whole."""
    properties = body.get("properties") or body.get("Properties") or {}
    whole = properties.get("roleName") and properties.get("assignableScopes") and properties.get("permissions")
    return _essence({"properties": properties}) if whole else None


async def _read(azure: "Azure", path: str) -> Json | None:
    return await azure.arm_read(ResourceId.parse(path).text, _VERSION)
