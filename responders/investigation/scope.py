"""Who else is the intruder: identities that a suspect made or took over, each with the chain of reasons.

An identity that existed before and was merely given rights is no suspect for it: it may be a colleague's. The rights
are taken back; he is left alone.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from responders import directory
from responders.azure import explained, rest
from responders.errors import Permanent
from responders.model import Case, Principal

if TYPE_CHECKING:
    from responders.azure import Azure

DEPTH, LIMIT = 3, 25  # steps from a suspect of the alert; identities in all
_MADE = frozenset({"add user", "invite external user", "add service principal", "add application"})
_TOOK = frozenset(
    {
        "add service principal credentials",
        "add password to application",
        "update application \u2013 certificates and secrets management",
        "reset user password",
        "admin registered security info",
    }
)
_TARGETS = frozenset({"user", "serviceprincipal", "application"})


async def widen(azure: "Azure", case: Case) -> tuple[Case, tuple[str, ...]]:
    """The case with those identities among its suspects, and what could not be found out, in sentences."""
    notes: list[str] = []
    known = {s.id.lower(): s for s in case.suspects if s.id}
    fresh = list(known.values())
    for _ in range(DEPTH):
        found = [p async for p in _of_directory(azure, case, fresh, notes)]
        found += [p async for p in _of_rights(azure, case, fresh)]
        fresh = list({p.id.lower(): p for p in found if p.id.lower() not in known}.values())
        if len(known) + len(fresh) > LIMIT:
            notes.append(f"The suspects made or took over more than {LIMIT} identities: look for the rest by hand.")
            fresh = fresh[: LIMIT - len(known)]
        known |= {p.id.lower(): p for p in fresh}
        if not fresh:
            break
    nameless = tuple(s for s in case.suspects if not s.id)
    return case.having(suspects=(*known.values(), *nameless)), tuple(dict.fromkeys(notes))


async def _of_directory(
    azure: "Azure", case: Case, suspects: list[Principal], notes: list[str]
) -> AsyncIterator[Principal]:
    """What Entra's audit log says that they made or took over."""
    for suspect in suspects:
        try:
            with explained("reading Entra's audit log"):
                entries = [e async for e in directory.audits(azure, suspect, suspect.since or case.since)]
        except Permanent as error:
            notes.append(f"{error} Whether the suspects made or took over other identities is unknown.")
            return
        for entry in entries:
            what = str(entry.get("activityDisplayName") or "").strip().lower()
            if entry.get("result") != "success" or what not in _MADE | _TOOK:
                continue
            at = datetime.fromisoformat(entry["activityDateTime"])
            for target in entry.get("targetResources") or []:
                if str(target.get("type", "")).lower() not in _TARGETS:
                    continue
                if found := await directory.principal(azure, str(target.get("id") or "")):
                    verb = "made it" if what in _MADE else "put a credential of his on it"
                    yield _suspected(found, suspect, verb, at)


async def _of_rights(azure: "Azure", case: Case, suspects: list[Principal]) -> AsyncIterator[Principal]:
    """Whom they gave rights in the subscription, and who did not exist before the window."""
    client = azure.authorization(case.subscription)
    async for model in client.role_assignments.list_for_subscription():
        properties = rest(model)["properties"]
        maker = next((s for s in suspects if s.id.lower() == str(properties.get("createdBy") or "").lower()), None)
        if maker is None or not properties.get("createdOn"):
            continue
        at = datetime.fromisoformat(properties["createdOn"])
        if at < (maker.since or case.since):
            continue
        found = await directory.principal(azure, properties["principalId"])
        if found and found.created and found.created >= case.since and found.kind != "group":
            yield _suspected(found, maker, "gave it rights, and it did not exist before", at)


def _suspected(found: Principal, maker: Principal, verb: str, at: datetime) -> Principal:
    chain = f"; {maker.because}" if maker.because else ""
    who = maker.upn or maker.name or maker.id
    return msgspec.structs.replace(found, because=f"{who} {verb}, {at:%Y-%m-%d %H:%M} UTC{chain}", since=at)
