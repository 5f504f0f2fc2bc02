"""An exercise together with its world: read, merged, names filled in, and checked as a whole."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from sandbox.azure.directory_file import ServicePrincipalEntry
from sandbox.azure.well_known import made_up_id
from sandbox.checks import of_calls, of_exercise
from sandbox.exercise import Exercise
from sandbox.reading import BadFile, Document, Field
from sandbox.world_file import Additions, Lock, Machine, ResourceGroup, RoleAssignment, Subscription, WorldFile

WORLDS = Path(__file__).parent / "worlds"
EXERCISES = Path(__file__).parent / "exercises"
_PLACEHOLDER = re.compile(r"(\$?)\$\{([^{}]*)\}")
_MOMENT = re.compile(r"(?<!\$)\$\{([+-]?P(?=[\dT])(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)\}")


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal plays."""

    file: str
    exercise: Exercise
    world: WorldFile  # the base world with what the exercise adds
    identities: dict[str, str]  # user principal name, display name, appId or object id, lower case -> object id
    now: datetime  # what ${…} durations were counted from
    lines: dict[str, int]  # "attack[1]" -> its line, for messages

    def who(self, name: str) -> str:
        """The object id of an identity of the world; one that an exercise makes itself stays as it is named."""
        return self.identities.get(name.lower(), name)

    def role(self, app_role: str) -> tuple[str, ...]:
        """Object ids of those who hold a role in the responder."""
        people = (*self.world.users, *self.world.service_principals)
        return tuple(person.id for person in people if app_role in person.app_roles)


def load(path: Path, now: datetime | None = None) -> Scene:
    """Read an exercise file and its world. Raises BadFile, which names file, line and field of each mistake."""
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    document = _with_moments(Document.read(path), now)
    exercise = document.convert(Exercise)  # its shape, before anything is looked up
    base_document = _with_moments(_world_document(document, path, exercise.world), now)
    base = base_document.convert(WorldFile)
    world = _with_ids(_merge(base, exercise), now)
    names = {**base.names, **exercise.extend.names}
    identities, ambiguous = _identities(world)

    filler = _Filler(names, identities, ambiguous)
    base = filler.fill(base_document).convert(WorldFile)
    document = filler.fill(document)
    exercise = document.convert(Exercise)
    world = _with_ids(_merge(base, exercise), now)
    scene = Scene(
        file=str(path),
        exercise=exercise,
        world=world,
        identities=identities,
        now=now,
        lines={"".join(f"[{k}]" if isinstance(k, int) else k for k in field): n for field, n in document.lines.items()},
    )
    mistakes = [
        *(base_document.mistake(field, what) for field, what in of_calls("history", base.history, identities)),
        *(document.mistake(field, what) for field, what in of_exercise(exercise, world, identities)),
    ]
    if mistakes:
        raise BadFile(*mistakes)
    return scene


# A world that comes with the sandbox is read once a process: that takes longer than all else of loading an exercise.
_shipped = cache(Document.read)


def _world_document(document: Document, path: Path, world: str) -> Document:
    own = world.endswith(".yaml")
    found = path.parent / world if own else WORLDS / f"{world}.yaml"
    if not found.is_file():
        known = ", ".join(sorted(p.stem for p in WORLDS.glob("*.yaml")))
        raise BadFile(
            document.mistake(("world",), f"no world {world!r}; there are {known}, or a .yaml beside this file")
        )
    return Document.read(found) if own else _shipped(found)


def _merge(base: WorldFile, exercise: Exercise) -> WorldFile:
    """The base world with what an exercise adds; what has the same name or id is replaced."""

    def key(item: Any) -> object:
        if isinstance(item, dict):
            return str(item.get("id", "")).lower()
        if isinstance(item, str):
            return item
        if isinstance(item, RoleAssignment):
            return item.name or (item.scope.lower(), item.role.lower(), item.principal.lower())
        if isinstance(item, Lock):
            return item.scope.lower(), item.name.lower()
        if isinstance(item, (Subscription, ResourceGroup, Machine)):
            return item.id.lower()
        return str(getattr(item, "upn", "") or item.name).lower()

    guarded = tuple(dict.fromkeys((*base.responder.subscriptions, *exercise.guards)))
    scopes = (*base.responder.scopes, *exercise.scopes)
    responder = msgspec.structs.replace(base.responder, subscriptions=guarded, scopes=scopes)
    merged: dict[str, Any] = {"responder": responder}
    for part in msgspec.structs.fields(Additions):
        old, new = getattr(base, part.name), getattr(exercise.extend, part.name)
        if isinstance(old, dict):
            merged[part.name] = {**old, **new}
        else:
            merged[part.name] = tuple({key(item): item for item in (*old, *new)}.values())
    return msgspec.structs.replace(base, **merged)


def _with_ids(world: WorldFile, now: datetime) -> WorldFile:
    """The world with an id for everyone, and nobody younger than it has to be."""
    replace, long_ago = msgspec.structs.replace, now - timedelta(days=730)

    def app_id(principal: ServicePrincipalEntry) -> str:
        return principal.app_id or made_up_id("app", principal.name)

    return replace(
        world,
        users=tuple(
            replace(u, id=(u.id or made_up_id("user", u.upn)).lower(), created=u.created or long_ago)
            for u in world.users
        ),
        service_principals=tuple(
            replace(
                s,
                id=(s.id or made_up_id("service principal", app_id(s))).lower(),
                app_id=app_id(s).lower(),
                created=s.created or long_ago,
            )
            for s in world.service_principals
        ),
        groups=tuple(replace(g, id=(g.id or made_up_id("group", g.name)).lower()) for g in world.groups),
    )


def _identities(world: WorldFile) -> tuple[dict[str, str], set[str]]:
    """Every name that stands for one object id, and those that stand for several."""
    known: dict[str, set[str]] = {}
    named = [
        (made_up_id("Microsoft Graph"), ("Microsoft Graph",)),
        *((u.id, (u.id, u.upn, u.name)) for u in world.users),
        *((s.id, (s.id, s.app_id, s.name)) for s in world.service_principals),
        *((g.id, (g.id, g.name)) for g in world.groups),
    ]
    for oid, names in named:
        for name in names:
            known.setdefault(name.lower(), set()).add(oid)
    one = {name: next(iter(oids)) for name, oids in known.items() if name and len(oids) == 1}
    return one, {name for name, oids in known.items() if len(oids) > 1}


def _with_moments(document: Document, now: datetime) -> Document:
    """The document with ${-P1D} and its like replaced: they need nothing but the time."""

    def moment(match: re.Match[str]) -> str:
        return f"{now + msgspec.convert(match[1], timedelta):%Y-%m-%dT%H:%M:%SZ}"

    return document.map(lambda text, _: _MOMENT.sub(moment, text))


class _Filler:
    """Puts in what ${…} stands for: a name of the world, or an identity's object id."""

    def __init__(self, names: dict[str, str], identities: dict[str, str], ambiguous: set[str]) -> None:
        self._names, self._identities, self._ambiguous = names, identities, ambiguous
        self._mistakes: list[str] = []

    def fill(self, document: Document) -> Document:
        """The document with every placeholder replaced. Raises BadFile naming each that stands for nothing."""
        self._mistakes = []
        filled = document.map(lambda text, field: self._filled(document, text, field, ()))
        if self._mistakes:
            raise BadFile(*self._mistakes)
        return filled

    def _filled(self, document: Document, text: str, field: Field, inside: tuple[str, ...]) -> str:
        def value(match: re.Match[str]) -> str:
            dollar, word = match.groups()
            if dollar:  # $${word} is the text ${word}
                return match[0][1:]
            if word in self._names and word not in inside:  # names may be made of names
                return self._filled(document, self._names[word], field, (*inside, word))
            if word.lower() in self._identities:
                return self._identities[word.lower()]
            known = ", ".join(sorted(self._names))
            why = "stands for more than one identity" if word.lower() in self._ambiguous else "stands for nothing"
            what = f"${{{word}}} {why}; there are {known}, the world's identities, and moments like ${{-P1D}}"
            self._mistakes.append(document.mistake(field, what))
            return ""

        return _PLACEHOLDER.sub(value, text)
