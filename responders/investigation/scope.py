"""Who and what else is the intruder's, each with the chain of reasons.

Identities that a suspect made or took over, those of another tenant whom he let in, and other subscriptions in which
they worked.

An identity that existed before and was merely given rights is no suspect for it: it may be a colleague's. The rights
are taken back; he is left alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from responders import directory
from responders.azure import explained, rest
from responders.errors import Permanent
from responders.ids import ResourceId
from responders.investigation.reach import Reach
from responders.model import Case, Json, Principal, Subject
from responders.utc import utc

if TYPE_CHECKING:
    from responders.azure import Azure

DEPTH, LIMIT = 3, 25  # steps from a suspect of the alert; identities in all
SUBSCRIPTIONS, AT_ONCE = 50, 8  # other ones that are looked at; so many at a time
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
    """The case with those among its suspects and subscriptions, and what could not be found out, in sentences.

    What an owner said is known to him is left out, and its notes say so.
    """
    return await _Widening(azure, case).run()


def placed(case: Case) -> Case:
    """The case with those suspects whom nobody knows here in the tenants that their tokens in the log came from."""

    def place(one: Principal) -> Principal:
        names = {name.lower() for name in (one.id, one.upn) if name}
        theirs = (f.tenant for f in case.findings if f.suspect and {f.caller.lower(), f.name.lower()} & names)
        tenant = next((t for t in theirs if t and t.lower() != case.tenant.lower()), "")
        if one.kind != "unknown" or not tenant or not case.tenant:
            return one
        return msgspec.structs.replace(one, kind="foreign", tenant=tenant)

    return case.having(suspects=tuple(place(s) for s in case.suspects))


class _Widening:
    def __init__(self, azure: "Azure", case: Case) -> None:
        self._azure, self._case = azure, case
        self._known = {s.id.lower(): s for s in case.suspects if s.id}
        self._where = [Reach(azure, case, case.subscription)]
        self._rest = [
            Reach(azure, case, s.lower()) for s in azure.settings.subscriptions if s.lower() != case.subscription
        ]
        self._others: dict[str, Subject] = {}
        self._grants: dict[str, list[Json]] = {}
        self._unknown: list[str] = []
        self._notes: list[str] = []

    async def run(self) -> tuple[Case, tuple[str, ...]]:
        case, known = self._case, self._known
        fresh = list(known.values())
        if len(self._rest) > SUBSCRIPTIONS:
            left = ", ".join(r.subscription for r in self._rest[SUBSCRIPTIONS:])
            self._unknown.append(f"Whether the suspects worked in these subscriptions was not looked at: {left}.")
            del self._rest[SUBSCRIPTIONS:]
        for _ in range(DEPTH):
            new = await self._worked(fresh)
            # In a subscription that is new all suspects are looked for; in the others those who are.
            found = [p async for p in self._of_directory(fresh)]
            for reach in self._where:
                who = list(known.values()) if reach in new else fresh
                found += [p async for p in self._of_subscription(reach, who)]
            found.sort(key=lambda p: p.since or case.since, reverse=True)  # of several reasons the earliest stays
            fresh = list({p.id.lower(): p for p in found if p.id.lower() not in known}.values())
            if len(known) + len(fresh) > LIMIT:
                self._unknown.append(
                    f"The suspects made or took over more than {LIMIT} identities: look for the rest by hand."
                )
                fresh = fresh[: LIMIT - len(known)]
            known |= {p.id.lower(): p for p in fresh}
            if not fresh:
                break
        self._unknown += _outside(case, self._azure.settings.subscriptions)
        nameless = tuple(s for s in case.suspects if not s.id)
        widened = case.having(
            suspects=(*known.values(), *nameless),
            others=tuple(self._others.values()),
            notes=(*case.notes, *dict.fromkeys(self._notes)),
        )
        return widened, tuple(dict.fromkeys(self._unknown))

    async def _worked(self, suspects: list[Principal]) -> list[Reach]:
        """The further subscriptions in which they worked."""
        if not suspects:
            return []

        async def look(reach: Reach) -> Subject | None:
            async with room:
                try:
                    with explained(f"reading the Activity Log of subscription {reach.subscription}"):
                        return await reach.worked(suspects)
                except Permanent as error:
                    self._unknown.append(
                        f"{error} Whether the suspects worked in subscription {reach.subscription} is unknown."
                    )
                    return None

        room = asyncio.Semaphore(AT_ONCE)
        looked = await asyncio.gather(*(look(reach) for reach in self._rest))
        new = [reach for reach, subject in zip(self._rest, looked, strict=True) if subject]
        self._others |= {s.id: s for s in looked if s}
        self._rest = [reach for reach in self._rest if reach not in new]
        self._where += new
        return new

    async def _of_directory(self, suspects: list[Principal]) -> AsyncIterator[Principal]:
        """What Entra's audit log says that they made or took over."""
        for suspect in suspects:
            if suspect.kind == "foreign":
                continue  # whoever is no object of this directory changes nothing in it
            try:
                with explained("reading Entra's audit log"):
                    since = suspect.since or self._case.since
                    entries = [e async for e in directory.audits_by(self._azure, suspect, since)]
            except Permanent as error:
                self._unknown.append(f"{error} Whether the suspects made or took over other identities is unknown.")
                return
            for entry in entries:
                what = str(entry.get("activityDisplayName") or "").strip().lower()
                took = what in _TOOK or (what == "update application" and _trusting(entry))
                if entry.get("result") != "success" or not (took or what in _MADE):
                    continue
                at = datetime.fromisoformat(entry["activityDateTime"])
                for target in entry.get("targetResources") or []:
                    if str(target.get("type", "")).lower() not in _TARGETS:
                        continue
                    found = await directory.principal(self._azure, str(target.get("id") or ""))
                    made = what in _MADE
                    verb = "made it" if made else "put a credential of his on it"
                    if found and not (made and self._owned(found)):
                        yield _suspected(found, suspect, verb, at)

    async def _of_subscription(self, reach: Reach, suspects: list[Principal]) -> AsyncIterator[Principal]:
        try:
            with explained(f"looking for whom the suspects let into subscription {reach.subscription}"):
                found = [p async for p in self._of_rights(reach.subscription, suspects)]
                async for stranger, maker, at in reach.delegated(suspects):
                    verb = f"delegated subscription {reach.subscription} to it, of tenant {stranger.tenant}"
                    found.append(_suspected(stranger, maker, verb, at))
                async for identity, maker, verb, at in reach.identities(suspects):
                    if not (verb == "made it" and self._owned(identity)):
                        found.append(_suspected(identity, maker, verb, at))
        except Permanent as error:
            self._unknown.append(str(error))
            return
        for one in found:
            yield one

    async def _of_rights(self, subscription: str, suspects: list[Principal]) -> AsyncIterator[Principal]:
        """Whom they gave rights in the subscription, and who did not exist before the window."""
        if subscription not in self._grants:
            listed = self._azure.authorization(subscription).role_assignments.list_for_subscription()
            self._grants[subscription] = [rest(model)["properties"] async for model in listed]
        for grant in self._grants[subscription]:
            maker = next((s for s in suspects if s.id.lower() == str(grant.get("createdBy") or "").lower()), None)
            if maker is None or not grant.get("createdOn"):
                continue
            at = datetime.fromisoformat(grant["createdOn"])
            if at < (maker.since or self._case.since):
                continue
            found = await directory.principal(self._azure, grant["principalId"])
            young = found and found.created and found.created >= self._case.since and found.kind != "group"
            if found and young and not self._owned(found):
                yield _suspected(found, maker, "gave it rights, and it did not exist before", at)

    def _owned(self, found: Principal) -> bool:
        """Whether an owner said that it is known to him; then it is noted, and left alone."""
        said = next((k for k in self._case.known if k.by and k.id.lower() == found.id.lower()), None)
        if said:
            self._notes.append(f"{found.upn or found.name or found.id} is held to be no suspect: {said.because}.")
        return said is not None


def _outside(case: Case, covered: Iterable[str]) -> list[str]:
    """What a person has to look at, since this responder may not: other subscriptions that the alerts name."""
    ours = {s.lower() for s in covered}
    named = {r.subscription for a in (case.alert, *case.joined) for r in map(_parsed, a.resources) if r}
    return [
        f"The alert names subscription {one}, which is not in COUNTERSIGN_SUBSCRIPTIONS: look there for what the "
        "suspects did."
        for one in sorted(named - ours - {""})
    ]


def _parsed(text: str) -> ResourceId | None:
    try:
        return ResourceId.parse(text)
    except Permanent:
        return None


def _trusting(entry: Json) -> bool:
    """Whether an update of an application changed whose tokens it trusts: its federated credentials."""
    changes = (c for t in entry.get("targetResources") or [] for c in t.get("modifiedProperties") or [])
    return any(c.get("displayName") == "FederatedIdentityCredentials" for c in changes)


def _suspected(found: Principal, maker: Principal, verb: str, at: datetime) -> Principal:
    chain = f"; {maker.because}" if maker.because else ""
    who = maker.upn or maker.name or maker.id
    return msgspec.structs.replace(found, because=f"{who} {verb}, {utc(at)}{chain}", since=at)
