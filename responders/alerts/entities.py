"""Who and what an alert names: its entities, with their `$id` and `$ref`, and its details."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from responders.alerts.ids import guid
from responders.alerts.untrusted import Fields, children
from responders.errors import Permanent
from responders.ids import ResourceId, is_guid
from responders.model import Actor, Json

_MAX_HOPS = 64  # of a `$ref` to a `$ref`
_MAX_NAME = 256
# What Entra allows in a user principal name. An apostrophe stands before a letter only: O'Brien, not `' or 1 eq 1`.
_UPN = re.compile(
    r"[\w.!#^~+\-](?:[\w.!#^~+\-]|'(?=\w)){0,112}@[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,126}[A-Za-z0-9])?", re.ASCII
)
_ACCOUNTS = ("account", "user", "serviceprincipal")
# Graph alone says who is who. Lower comes first; what says nothing lies between.
_ROLES = {
    "attacker": 0,
    "compromised": 1,
    "source": 1,
    "suspicious": 1,
    "attacked": 3,
    "destination": 3,
    "contextual": 3,
}
_NO_ROLE = 2

# Keys of details are compared by their words: "attacker Object ID", "principalObjectId", "Client IP address".
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")
_SAYS_WHO = re.compile(r"\b(?:(?:principal|object|user|caller) id|oid|principal name|user ?name|upn|caller)$")
_SAYS_ADDRESS = re.compile(r"\bip(?: address(?:es)?)?$")
_SAYS_ASSIGNEE = re.compile(r"\b(?:assignee|assigned|target)\b")


class Named(msgspec.Struct):
    """What was found, in the order of the alert, each once."""

    actors: list[Actor]  # the suspect first
    resources: list[str]
    addresses: list[str]


def named(alert: Json, lists: Iterable[list[Any]], details: dict[str, str]) -> Named:
    """Collect what an alert names. `lists` are its resource identifiers and entities, decoded.

    What is no id, no address or no name is left out, since it may be an intruder's text; the rest is kept.
    """
    lists = list(lists)
    defined = _definitions([alert, lists])
    worded = [(_BETWEEN_WORDS.sub(" ", key[:_MAX_NAME]).strip().lower(), text) for key, text in details.items()]
    ranked: list[tuple[int, Actor]] = []
    resources: dict[str, str] = {}
    addresses: dict[str, None] = {}
    for entity in _entities(lists, defined):
        kind = _kind(entity)
        inner = entity.fields("properties")
        inner = inner if inner.raw else entity
        if kind in _ACCOUNTS or (not kind and inner.word("aadUserId", "upnSuffix")):
            ranked.append((_rank(entity), _actor(inner)))
        elif kind == "ip" or not kind:
            addresses |= dict.fromkeys(ip_addresses(inner.word("address", "ipAddress")))
        resource = resource_id(inner.word("azureResourceId", "resourceId", "azureID"))
        if resource:
            resources.setdefault(resource.key, resource.text)
    for words, text in worded:
        if _SAYS_ADDRESS.search(words):
            addresses |= dict.fromkeys(ip_addresses(text))
    actors = [actor for _, actor in sorted(ranked, key=lambda pair: pair[0])]
    return Named(_suspect_first(actors, worded), list(resources.values()), list(addresses))


def resource_id(text: str) -> ResourceId | None:
    """The id in a text, or None for anything else."""
    if not text.startswith("/"):
        return None
    try:
        return ResourceId.parse(text.rstrip("/"))
    except Permanent:
        return None


def ip_addresses(text: str) -> list[str]:
    """The addresses in a list of them, without ports. "00.00.00.00" of sample alerts isn't one, nor is 0.0.0.0."""
    found = []
    for part in re.split(r"[,;\s]+", text[:_MAX_NAME]):
        host = re.sub(r"\A\[(.*)\](?::\d+)?\Z|\A([\d.]+):\d+\Z", r"\1\2", part)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            continue
        # A zone ("%eth0") is free text, and means nothing off its own machine.
        if not address.is_unspecified and "%" not in host:
            found.append(str(address))
    return found


def _definitions(document: object) -> dict[str, Json]:
    """Every object with an `$id`, wherever it lies; of repeated ids, the first."""
    defined: dict[str, Json] = {}
    stack: list[Any] = [document]
    while stack:
        node = stack.pop()
        mark = _mark(node, "id") if isinstance(node, dict) else ""
        if mark:
            defined.setdefault(mark, node)
        stack += reversed(list(children(node)))
    return defined


def _mark(node: Json, word: str) -> str:
    """The `$id` or `$ref` of an object, or ""."""
    value = node.get(f"${word}", node.get(f"_{word}"))
    return str(value) if isinstance(value, str | int) else ""


def _entities(lists: list[list[Any]], defined: dict[str, Json]) -> Iterator[Fields]:
    """Every object of the lists and within them, references followed, each once, in the order of the text."""
    seen: set[int] = set()
    stack: list[Any] = [lists]
    while stack:
        node: Any = stack.pop()
        if isinstance(node, dict):
            node = _follow(node, defined)
            if node is None or id(node) in seen:
                continue
            seen.add(id(node))
            yield Fields(node)
        stack += reversed(list(children(node)))


def _follow(node: Json, defined: dict[str, Json]) -> Json | None:
    """What a reference leads to; None for nowhere and for a circle."""
    for _ in range(_MAX_HOPS):
        reference = _mark(node, "ref")
        if not reference:
            return node
        if reference not in defined:
            return None
        node = defined[reference]
    return None


def _kind(entity: Fields) -> str:
    """Any channel's word for the kind of an entity, as "account", "ip", "azureresource"…, or ""."""
    word = entity.word("@odata.type")
    if word:
        return word.rsplit(".", 1)[-1].lower().removesuffix("evidence")
    word = entity.word("type")
    if not word or "/" in word:  # Sentinel's type is that of an ARM resource, and its kind says what it is
        word = entity.word("kind")
    return word.lower().replace("-", "").replace("_", "")


def _rank(entity: Fields) -> int:
    roles = [role.lower() for role in entity.items("roles") if isinstance(role, str)]
    return min((_ROLES.get(role, _NO_ROLE) for role in roles), default=_NO_ROLE)


def _actor(entity: Fields) -> Actor:
    inner = entity.fields("userAccount")
    entity = inner if inner.raw else entity
    name = entity.word("name", "accountName", "servicePrincipalName")
    suffix = entity.word("upnSuffix")
    return Actor(
        id=guid(entity.word("aadUserId", "azureAdUserId", "servicePrincipalObjectId"))
        or guid(entity.word("objectGuid")),
        upn=_upn(entity.word("userPrincipalName", "upn")) or _upn(name) or _upn(f"{name}@{suffix}"),
        name=(entity.word("displayName") or name)[:_MAX_NAME],
        tenant=guid(entity.word("aadTenantId", "tenantId")),
    )


def _upn(text: str) -> str:
    return text if _UPN.fullmatch(text) else ""


def _suspect_first(accounts: list[Actor], details: list[tuple[str, str]]) -> list[Actor]:
    """The accounts, and whom the details name: the one who did it, the others, and last who was given rights."""
    suspect, assignee = _in_details(details, assignee=False), _in_details(details, assignee=True)
    at = next((i for i, account in enumerate(accounts) if _same(account, suspect)), None)
    if at is not None:
        accounts = [_joined(accounts[at], suspect), *accounts[:at], *accounts[at + 1 :]]
    elif not accounts or suspect.id or suspect.upn:
        accounts = [*accounts, suspect]
    if assignee.id or assignee.upn:
        accounts = [*accounts, assignee]
    return _each_once(accounts)


def _in_details(details: list[tuple[str, str]], *, assignee: bool) -> Actor:
    """Whom the details name, by the words of their keys; an empty Actor if nobody."""
    found = {"id": "", "upn": "", "name": ""}
    for words, text in details:
        if bool(_SAYS_ASSIGNEE.search(words)) is assignee and _SAYS_WHO.search(words):
            # A sample alert has a display name, or zeros, where the key says id.
            sort = "id" if guid(text) else "upn" if _upn(text) else "" if is_guid(text) else "name"
            if sort and not found[sort]:
                found[sort] = guid(text) or text[:_MAX_NAME]
    return Actor(**found)


def _same(one: Actor, other: Actor) -> bool:
    if one.id and other.id:
        return one.id == other.id
    return bool({one.upn.lower(), one.name.lower()} & {other.upn.lower(), other.name.lower()} - {""})


def _joined(one: Actor, other: Actor) -> Actor:
    return Actor(
        id=one.id or other.id,
        upn=one.upn or other.upn,
        name=one.name or other.name,
        tenant=one.tenant or other.tenant,
    )


def _each_once(actors: list[Actor]) -> list[Actor]:
    """One Actor an id, one a user principal name, and of those with neither one a name. Empty ones are left out."""
    found: list[Actor] = []
    at: dict[str, int] = {}
    for actor in actors:
        keys = [key for key in (actor.id, actor.upn.lower()) if key] or ([actor.name.lower()] if actor.name else [])
        known = next((at[key] for key in keys if key in at), None)
        if known is not None and (not actor.id or found[known].id in ("", actor.id)):
            found[known] = _joined(found[known], actor)
        elif keys:
            known = len(found)
            found.append(actor)
        for key in keys:
            at.setdefault(key, known or 0)
    return found
