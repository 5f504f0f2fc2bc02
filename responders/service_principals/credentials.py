"""What an application can prove itself with, and who gave it that.

Who added a credential, and when, only Entra's audit log tells: whoever adds one chooses its dates and its name.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from responders import trail
from responders.model import Case, Change, Json, Plan, Subject, Verdict
from responders.service_principals import registration
from responders.service_principals.registration import Registration
from responders.trail import Trail
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

Kind = Literal["secret", "certificate", "federated credential"]
LISTS: dict[str, Kind] = {"passwordCredentials": "secret", "keyCredentials": "certificate"}

_KEY = re.compile(r"\[KeyIdentifier=([0-9a-f-]{36}),", re.IGNORECASE)


class Credential(Struct, frozen=True, kw_only=True):
    """One secret, certificate or federated credential."""

    kind: Kind
    holder: str  # Graph path of the object that holds it: an application, or its service principal
    entry: Json  # as Graph has it: never with the text of a secret
    verdict: Verdict
    adder: str = ""  # object id, as far as Entra's audit log tells
    added: datetime | None = None

    @property
    def label(self) -> str:
        named = self.entry.get("name") or self.entry.get("displayName") or self.entry.get("keyId") or ""
        what = f"{self.kind} {named}".strip()
        if self.kind == "federated credential":
            return (
                f"{what} (trusts {self.entry['issuer']} for {self.entry.get('subject') or 'whom an expression fits'})"
            )
        return f"{what} (key {self.entry['keyId']}, until {str(self.entry.get('endDateTime') or 'ever')[:10]})"


class Held(Struct, frozen=True, kw_only=True):
    """An application with all of its credentials."""

    registration: Registration
    credentials: tuple[Credential, ...]
    doomed: frozenset[str]  # paths of its objects that a suspect made: they are deleted as a whole
    owners: str  # names: who has to make new ones


async def read(azure: "Azure", case: Case, subject: Subject) -> Held | None:
    """The credentials on both objects of an application, judged; None where the directory has no such application."""
    found = await registration.read(azure, subject.id)
    if found is None:
        return None
    trails = [await trail.of_target(azure, case, id_) for id_ in found.ids]
    entries = tuple(entry for one in trails for entry in one.entries)
    log = trail.Trail(entries, unread=next((one.unread for one in trails if one.unread), ""))
    judged = [_judged(case, log, kind, path, entry) async for kind, path, entry in _listed(azure, found)]
    made = await registration.made(azure, case, found)
    return Held(
        registration=found,
        credentials=_rotated(case, subject, judged),
        doomed=frozenset(path for path, verdict in made.items() if verdict.familiarity == "unfamiliar"),
        owners=registration.names(await registration.owners(azure, found)),
    )


def removal(action: str, kind: Kind, subject: Subject, held: Held | None, lasting: str = "") -> Plan:
    """Plan to remove those of one kind that are not familiar. `lasting`: what undo can't bring back."""
    if held is None:
        return Plan(action=action, subject=subject, reason=f"The directory has no service principal {subject.id}.")
    name, notes = held.registration.name, []
    if all(c.verdict.familiarity == "unfamiliar" for c in held.credentials):
        notes.append(f"nothing is left then that {name} signs in with: {held.owners} must give it a new credential")
    changes, kept = list[Change](), list[str]()
    mine = [one for one in held.credentials if one.kind == kind]
    for one in mine:
        if one.verdict.left_alone or one.holder in held.doomed:
            why = "it goes with the application" if one.holder in held.doomed else "; ".join(one.verdict.reasons)
            kept.append(f"{one.label} of {name}: {why}")
            continue
        where = "service principal" if one.holder.startswith("/servicePrincipals/") else "application"
        change = Change(
            action=action,
            resource=one.holder,
            summary=f"remove the {one.label} from the {where} {name}",
            reasons=(*one.verdict.reasons, *notes),
            before=one.entry,
            principals=(held.registration.id,),
            lasting=lasting.format(owners=held.owners),
            familiarity=one.verdict.familiarity,
        )
        changes.append(change)
    reason = "" if changes else f"{name} has no {kind} that a suspect gave it."
    awaits = trail.awaits(one.verdict for one in mine)
    return Plan(action=action, subject=subject, changes=tuple(changes), reason=reason, kept=tuple(kept), awaits=awaits)


async def _listed(azure: "Azure", found: Registration) -> AsyncIterator[tuple[Kind, str, Json]]:
    for path, held in found.holders:
        for name, kind in LISTS.items():
            for entry in held.get(name) or []:
                yield kind, path, entry
        if held is found.application:
            async for entry in azure.graph_pages(f"{path}/federatedIdentityCredentials"):
                yield "federated credential", path, entry


def _judged(case: Case, log: Trail, kind: Kind, path: str, entry: Json) -> Credential:
    trusts = kind == "federated credential"
    identity = (str(entry["issuer"]), str(entry.get("subject"))) if trusts else entry["keyId"].lower()
    deed = next((e for e in log.entries if identity in _named(kind, e.new) - _named(kind, e.old)), None)
    thing = f"{path}/{kind} {' '.join(identity) if isinstance(identity, tuple) else identity}"
    verdict = trail.verdict(case, deed) if deed else trail.absent(case, log, thing)
    valid = time_of(entry.get("startDateTime"))
    if deed is None and valid and valid >= case.since:
        reason = f"valid since {utc(valid)}, in the window, though Entra's audit log has nobody adding it"
        verdict = trail.awaited(case, log, thing, Verdict(familiarity="unknown", reasons=(reason,)))
    elif deed is None and (vague := next((e for e in log.entries if _is_vague(kind, e.new)), None)):
        reason = f"Entra's audit log has somebody adding a {kind} {utc(vague.at)}, and not which"
        verdict = Verdict(familiarity="unknown", reasons=(reason,))
    by, at = (deed.by, deed.at) if deed else ("", None)
    return Credential(kind=kind, holder=path, entry=entry, verdict=verdict, adder=by, added=at)


def _rotated(case: Case, subject: Subject, found: list[Credential]) -> tuple[Credential, ...]:
    """All of them proposed, where it was the application itself that was taken over, with one of those it had.

    That is so when the alert names it, unless somebody else whom it names gave it a credential before that.
    """
    suspect = case.suspect(subject.id)
    if suspect is None or suspect.because:
        return tuple(found)
    seen = (f.at for f in case.findings if f.caller.lower() == suspect.id.lower() and f.level != "none")
    began = min((case.alert.start, *seen))
    planted = (c for c in found if c.verdict.familiarity == "unfamiliar" and c.adder.lower() != suspect.id.lower())
    if any(c.added and c.added <= began for c in planted):
        return tuple(found)
    reason = "the alert names the application itself as the actor, so whoever acted knows one of its credentials"
    return tuple(
        replace(c, verdict=Verdict(familiarity="unfamiliar", reasons=(reason, *c.verdict.reasons))) for c in found
    )


def _named(kind: Kind, properties: Mapping[str, str]) -> set[object]:
    """What an entry of the log names: key ids, or issuer and subject of federated credentials.

    Names are the adder's to choose, so nothing is looked for in them.
    """
    items = _list(properties.get(_property(kind))) or []
    if kind == "federated credential":
        trusts = [{str(k).lower(): v for k, v in item.items()} for item in items if isinstance(item, dict)]
        return {(str(t.get("issuer")), str(t.get("subject"))) for t in trusts}
    keys = (_KEY.match(item) for item in items if isinstance(item, str))
    return {key[1].lower() for key in keys if key}


def _is_vague(kind: Kind, properties: Mapping[str, str]) -> bool:
    """Whether an entry of the log has a list that names not all of what is in it: cut off, or of a new shape."""
    items = _list(properties.get(_property(kind)))
    if items is None:
        return True
    if kind == "federated credential":
        trusts = [{str(k).lower(): v for k, v in item.items()} if isinstance(item, dict) else {} for item in items]
        return any(not trust.get("issuer") or not trust.get("subject") for trust in trusts)
    return any(not isinstance(item, str) or not _KEY.match(item) for item in items)


def _property(kind: Kind) -> str:
    return "FederatedIdentityCredentials" if kind == "federated credential" else "KeyDescription"


def _list(text: str | None) -> list[object] | None:
    """The items of a list; None for what is none."""
    try:
        value = json.loads(text or "[]")
    except ValueError:
        return None
    return value if isinstance(value, list) else None
