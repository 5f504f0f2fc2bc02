"""Which resources of a subscription are to be deleted, and what goes with each: verdicts, units, whole groups."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from responders import familiarity, locks
from responders.ids import ResourceId, within
from responders.model import Case, Json, Verdict
from responders.subscriptions import definition, inventory, recovered, unlisted
from responders.subscriptions.guards import ADDED
from responders.subscriptions.inventory import Found
from responders.subscriptions.resource_types import whose
from responders.utc import time_of, utc

if TYPE_CHECKING:
    from responders.azure import Azure

_MADE_WITH_IT = frozenset({"fromimage", "empty"})  # how a machine's model calls disks that were made with it


class Unit(Struct, frozen=True, kw_only=True):
    """What is deleted as one: a resource with what goes with it, or a whole group."""

    parts: list[Json]  # {"id", "version", "body", "made"}: the unit's own first; made: by making the first of them
    verdict: Verdict
    exported: bool = True  # whether Azure may be asked for a template of it

    @property
    def id(self) -> str:
        return str(self.parts[0]["id"])

    @property
    def is_group(self) -> bool:
        return not ResourceId.parse(self.id).type


class Doomed(Struct, frozen=True, kw_only=True):
    """What was found: units, what was left alone, and what a person has to see to first."""

    units: list[Unit]
    kept: list[str]
    by_hand: list[str]
    locks: list[Json]  # all of the subscription
    looked_at: int


async def find(case: Case, azure: "Azure", subscription: str) -> Doomed:
    """Look through a subscription. Three lists, and the whole definition of what is perhaps to go."""
    (listed, odd), made, held = await asyncio.gather(
        inventory.resources(azure, subscription),
        inventory.groups_made(azure, subscription),
        locks.read(azure, f"/subscriptions/{subscription}"),
    )
    back = await recovered.found(case, azure, subscription, listed)
    doubtful, kept = _doubtful(case, listed, back)
    there = {item.key for item in listed}
    hidden = await unlisted.found(case, azure, subscription, there, doubtful.keys(), ADDED)
    more, stays = _doubtful(case, hidden.found, {})
    doubtful |= more
    kept += [*stays, *hidden.kept]
    whole, refused = await inventory.bodies(azure, doubtful.values())
    verdicts = {
        key: back.get(key)
        or inventory.judge(case, doubtful[key], str((body.get("systemData") or {}).get("createdBy") or ""))
        for key, (_, body) in whole.items()
    }
    companions, own, by_hand = _companions(case, doubtful, whole, verdicts)
    for thing, machine in companions.items():
        verdicts[thing] = verdicts[machine]
    for key in [key for key in verdicts if verdicts[key].familiarity == "familiar"]:
        kept.append(_line(doubtful[key], verdicts.pop(key)))
    for key in by_hand:
        for thing in [key, *(c for c, machine in companions.items() if machine == key)]:
            verdicts.pop(thing, None)
            companions.pop(thing, None)
    for key, holder in _held(whole, verdicts).items():
        verdicts.pop(key)
        companions.pop(key, None)
        body = whole[key][1]
        if holder in by_hand or body["properties"].get("osType"):
            kept.append(f"{body['id']}: made by the suspect, and in {holder}, which is not deleted")
        else:
            by_hand[key] = (
                f"{body['id']} is not deleted, since it is in {holder}, which stays: detach it, if nobody "
                "needs it there, and run the incident again (a Contributor)."
            )
    inside = {key: above for key in verdicts if (above := _beneath(key, verdicts))}
    parts = {key: _part(body, version, made=key in own) for key, (version, body) in whole.items()}
    # What can't be read is not looked at, and a group goes only when all in it was.
    made = {group: said for group, said in made.items() if not any(within(entry["id"], group) for entry in odd)}
    groups = await _groups(case, azure, made, listed, verdicts)
    units = []
    for group, (body, verdict) in groups.items():
        its = [parts[key] for key in verdicts if within(key, group)]
        units.append(Unit(parts=[_part(body, inventory.VERSION), *its], verdict=verdict))
    for key, verdict in verdicts.items():
        if key in inside or key in companions or any(within(key, group) for group in groups):
            continue
        along = [thing for thing, machine in companions.items() if machine == key]
        along += [child for child, above in inside.items() if above in {key, *along}]
        judged = _with_others(key, verdict, listed, verdicts)
        units.append(Unit(parts=[parts[k] for k in (key, *along)], verdict=judged, exported=key not in more))
    todo = [*by_hand.values(), *_unread(case, odd)]
    todo += [f"{why} Look who made it, and delete it if that was the suspect (a Contributor)." for why in refused]
    return Doomed(units=units, kept=kept, by_hand=todo, locks=held, looked_at=len(listed))


def _unread(case: Case, odd: Iterable[Json]) -> Iterator[str]:
    """What a person has to look at: what was made or written in the window, and has a name that we don't handle."""
    for entry in odd:
        made, changed = time_of(entry.get("createdTime")), time_of(entry.get("changedTime"))
        if inventory.of_window(case, entry["id"], made, changed):
            when = f"made {utc(made)}" if made else "made at a time that Azure does not tell"
            yield (
                f"{entry['id'][:300]!r} ({when}) has a name that is not handled here: look who made it, and delete it "
                "if that was the suspect (a Contributor)."
            )


def _doubtful(case: Case, listed: Iterable[Found], back: Mapping[str, Verdict]) -> tuple[dict[str, Found], list[str]]:
    """Of all resources those of the window that are not known good; and what the suspects wrote and stays, with why."""
    doubtful: dict[str, Found] = {}
    kept = []
    for item in listed:
        touched = case.wrote(item.key) is not None
        if whose(item.type) or not inventory.of_window(case, item.key, item.made, item.changed):
            continue
        verdict = back.get(item.key) or inventory.judge(case, item)
        if verdict.familiarity != "familiar":
            doubtful[item.key] = item
        elif touched:
            kept.append(_line(item, verdict))
    return doubtful, kept


def _companions(
    case: Case, doubtful: Mapping[str, Found], whole: Mapping[str, tuple[str, Json]], verdicts: Mapping[str, Verdict]
) -> tuple[dict[str, str], set[str], dict[str, str]]:
    """What goes with machines: disks and interfaces, each with its machine; which of them were made with it.

    And machines that would take along what is not to go, each with what a person has to do.
    """
    companions: dict[str, str] = {}
    made: set[str] = set()
    by_hand: dict[str, str] = {}
    for key, (_, body) in whole.items():
        if str(body["type"]).lower() != definition.VM or verdicts[key].familiarity == "familiar":
            continue
        found = [(id_, how in _MADE_WITH_IT, along) for id_, how, along in definition.disks(body)]
        found += [(id_, False, along) for id_, along in definition.interfaces(body)]
        for id_, own, along in found:
            mine = own and str(whole.get(id_, ("", {}))[1].get("managedBy") or "").lower() == key
            vouched = id_ in doubtful and familiarity.vouched(case, doubtful[id_].id.text)
            if (mine or (along and id_ in verdicts and verdicts[id_].familiarity == "unfamiliar")) and not vouched:
                companions[id_] = key
                made |= {id_} if mine else set()
            elif along:
                by_hand[key] = (
                    f"{body['id']} is not deleted, since {id_} would go with it, which is not the suspect's: set its "
                    "deleteOption to Detach (a Contributor), and run the incident again."
                )
    instances = dict(_disks_of_instances(case, whole, verdicts))
    return companions | instances, made | instances.keys(), by_hand


def _disks_of_instances(
    case: Case, whole: Mapping[str, tuple[str, Json]], verdicts: Mapping[str, Verdict]
) -> Iterator[tuple[str, str]]:
    """Disks that a scale set made with its instances, each with the set: they go with it, and no log tells of them."""
    for key, (_, body) in whole.items():
        owner = _beneath(str(body.get("managedBy") or "").lower(), verdicts)
        if str(whole.get(owner, ("", {}))[1].get("type")).lower() != definition.SCALE_SET:
            continue
        logged = key in case.makers or case.wrote(key)
        if verdicts[owner].familiarity != "familiar" and not logged and not familiarity.vouched(case, body["id"]):
            yield key, owner


def _held(whole: Mapping[str, tuple[str, Json]], verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Disks and interfaces that would go and are in a machine that stays, each with its machine.

    A machine's OS disk is set aside when the machine is rebuilt, by whoever it was made.
    """
    found = {}
    for key in verdicts:
        body = whole[key][1]
        holder = body.get("managedBy") or ((body.get("properties") or {}).get("virtualMachine") or {}).get("id") or ""
        at = str(holder).lower()
        machine = "/providers/microsoft.compute/virtualmachine" in at
        if machine and not any(within(at, other) for other in verdicts):
            found[key] = at
    return found


async def _groups(
    case: Case,
    azure: "Azure",
    made: Mapping[str, tuple[str, datetime]],
    listed: Iterable[Found],
    verdicts: Mapping[str, Verdict],
) -> dict[str, tuple[Json, Verdict]]:
    """The groups that a suspect made in the window and that hold nothing else than what is to go, by id."""
    strange = [group for group, (by, at) in made.items() if at >= case.since and case.suspect(by, at)]
    for item in listed:
        if not any(
            verdicts[key].familiarity == "unfamiliar"
            for key in (item.key, _beneath(item.key, verdicts))
            if key in verdicts
        ):
            strange = [group for group in strange if not within(item.key, group)]
    found = {}
    for group in strange:
        body = await inventory.read(azure, group, inventory.VERSION)
        if body is None:
            continue
        by, at = made[group]
        deed = case.did(f"{inventory.GROUPS}/write", body["id"])
        verdict = familiarity.judge(case, by, at, deed, thing=body["id"], tags=body.get("tags") or {})
        if verdict.familiarity == "unfamiliar" and not body.get("managedBy"):
            found[group] = ({**body, "type": inventory.GROUPS}, verdict)
    return found


def _with_others(key: str, verdict: Verdict, listed: Iterable[Found], verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict on a resource, with regard to what is in it and would go with it."""
    if verdict.familiarity != "unfamiliar":
        return verdict
    others = [i for i in listed if i.key != key and within(i.key, key) and i.key not in verdicts and not whose(i.type)]
    if not others:
        return verdict
    why = f"in it is {others[0].id.text}, which is not the suspect's"
    return Verdict(familiarity="unknown", reasons=(*verdict.reasons, why))


def _beneath(key: str, verdicts: Mapping[str, Verdict]) -> str:
    """The outermost resource among these that another lies in; "" for none."""
    above, found = key.rpartition("/")[0], ""
    while above:
        if above in verdicts:
            found = above
        above = above.rpartition("/")[0]
    return found


def _part(body: Json, version: str, *, made: bool = False) -> Json:
    part = {"id": body["id"], "version": version, "body": definition.evidence(body)}
    return {**part, "made": True} if made else part


def _line(item: Found, verdict: Verdict) -> str:
    return f"{item.id.text}: written by the suspect, but {'; '.join(verdict.reasons)}"
