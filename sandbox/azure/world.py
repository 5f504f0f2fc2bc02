"""All state of the sandbox: one dict of resources, the directory, the activity log, and what runs.

A resource is a resource, whoever's provider it is: role assignments, locks, alerts, runbooks and groups lie in the same
dict, keyed by lower-cased id. Rooms keep what has no id of its own in `world.state[<room>]`, as plain JSON.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from sandbox.azure import changes, ids
from sandbox.azure.activity_log import ActivityLog
from sandbox.azure.clock import stamp
from sandbox.azure.directory import Directory

Json = dict[str, Any]

TENANT = "7a5f0c1e-3b52-4c0d-9d3e-0c0a7e5b1f00"  # of a world that names none

_IDENTITY = "microsoft.managedidentity/userassignedidentities"


@dataclass(slots=True)
class Resource:
    """One stored resource. `body` is what a GET answers, without systemData, and what no answer shows: "sandbox"."""

    id: str  # as spelled by whoever made it
    type: str
    body: Json
    version: str = ""  # api-version of the last write
    stamps: Json = field(default_factory=dict)  # systemData

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def properties(self) -> Json:
        return self.body.get("properties") or {}

    @property
    def hidden(self) -> Json:
        """What Azure keeps of it and never shows."""
        return dict(self.body.get("sandbox") or {})

    @property
    def visible(self) -> Json:
        """The body without that."""
        return {name: value for name, value in self.body.items() if name != "sandbox"}

    @property
    def region(self) -> str:
        """Where it is, as Azure spells it: "West Europe" is westeurope."""
        return str(self.body.get("location") or "westeurope").lower().replace(" ", "")


Resources: TypeAlias = list[Resource]  # inside World, `list` is a method
Bodies: TypeAlias = list[Json]


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes and when: what becomes systemData."""

    name: str
    kind: str  # User, Application, ManagedIdentity or Key
    at: datetime


@dataclass(slots=True)
class Pace:
    """How long an operation takes: until `seconds` have passed by the clock, and until it was polled `polls` times."""

    seconds: float = 0.0
    polls: int = 0
    retry_after: int | None = 0  # the header's value; None leaves it off, as Compute does


class World:
    """One tenant with its subscriptions."""

    def __init__(self, tenant: str = TENANT) -> None:
        self.tenant = tenant.lower()
        self.directory = Directory(self.tenant)
        self.activity = ActivityLog()
        self.operations: dict[str, Json] = {}  # long-running ones, see operations.py
        self.state: dict[str, Json] = {}  # of rooms
        self.parents: dict[str, str] = {}  # "/subscriptions/…" or management group -> management group, lower case
        self.pace = Pace()
        self.lag = 0  # > 0 while a delete runs whose lists shall lag: reads until they notice
        self.mails: Bodies = []
        self.changes: Bodies = []  # see changes.py
        self.writer: Json | None = None  # whose write runs now
        self._resources: dict[str, Resource] = {}
        self._types: dict[str, dict[str, Resource]] = {}
        self._revisions: dict[str, int] = {}
        self._ghosts: dict[str, tuple[Resource, int]] = {}
        self._lagging = False
        self._serial = 0

    # -- resources -------------------------------------------------------------------------------------------------

    def get(self, id_: str) -> Resource | None:
        """The resource of an id in any spelling, or None."""
        return self._resources.get(id_.lower().rstrip("/"))

    def put(self, id_: str, body: Json, author: Author | None = None, version: str = "") -> Resource:
        """Create or replace. An id's spelling, its creator and creation time stay those of its first write."""
        old = self.get(id_)
        id_ = old.id if old else ids.spelled(id_)
        kind = old.type if old else str(body.get("type") or ids.parse(id_).type)
        stamps = dict(old.stamps) if old else {}
        if author:
            made = {"createdBy": author.name, "createdByType": author.kind, "createdAt": stamp(author.at)}
            changed = {k.replace("created", "lastModified"): v for k, v in made.items()}
            stamps = {**(stamps or made), **changed}
        head = {"id": id_, "name": str(body.get("name") or id_.rpartition("/")[2]), "type": kind}
        resource = Resource(id_, kind, {**head, **body, **head}, version or (old.version if old else ""), stamps)
        self._resources[resource.key] = resource
        self._types.setdefault(kind.lower(), {})[resource.key] = resource
        self._touch(kind)
        changes.record(self, id_, kind, old.body if old else None, resource.body)
        return resource

    def delete(self, id_: str) -> Resources:
        """Remove a resource with all that lies beneath it. Nothing there: nothing removed."""
        gone = [r for r in (self.get(id_), *self.beneath(id_)) if r]
        for resource in gone:
            del self._resources[resource.key]
            del self._types[resource.type.lower()][resource.key]
            self._touch(resource.type)
            changes.record(self, resource.id, resource.type, resource.body, None)
            # A resource's own identity goes with it, and so does that which it is.
            own = resource.properties if resource.type.lower() == _IDENTITY else resource.body.get("identity") or {}
            self.directory.purge(own.get("principalId") or "")
            if self.lag:
                self._ghosts[resource.key] = (resource, self.lag)
        return gone

    def move(self, id_: str, to: str) -> None:
        """Give one resource another id; who made it stays."""
        old = self._resources.pop(id_.lower())
        its = self._types[old.type.lower()]
        its[to.lower()] = self._resources[to.lower()] = replace(its.pop(old.key), id=to, body={**old.body, "id": to})
        self._touch(old.type)

    def list(self, kind: str, under: str = "", *, lag: bool = True) -> Resources:
        """Resources of a type (any case), beneath a scope or equal to it; in order of creation.

        Without `lag` just what is there, even while lists lag: what rights are read from.
        """
        pool = self._types.get(kind.lower(), {}).values()
        found = [r for r in pool if ids.within(r.id, under)] if under else list(pool)
        return found + [g for g in self._late(lag=lag) if g.type.lower() == kind.lower() and ids.within(g.id, under)]

    def beneath(self, id_: str, kind: str = "") -> Resources:
        """Everything below an id, at any depth, extension resources (assignments, locks) included."""
        prefix = id_.lower().rstrip("/") + "/"
        pool = self._types.get(kind.lower(), {}) if kind else self._resources
        found = [r for key, r in pool.items() if key.startswith(prefix)]
        return found + [g for g in self._late() if g.key.startswith(prefix) and kind.lower() in {"", g.type.lower()}]

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def __contains__(self, id_: str) -> bool:
        return self.get(id_) is not None

    def revision(self, kind: str) -> int:
        """A number that grows with every write to a type: tells a cache that it is stale."""
        return self._revisions.get(kind.lower(), 0)

    def scopes(self, id_: str) -> Sequence[str]:
        """The id and all scopes above it up to the root "", over the management groups; nearest first, lower case."""
        own = ids.scopes(id_)[:-1]
        above = next((s for s in own if s in self.parents), "")
        chain: dict[str, None] = {}
        while (parent := self.parents.get(above)) and parent not in chain:
            chain[parent] = None
            above = parent
        return [*own, *chain, ""]

    def new_id(self, *seed: str) -> str:
        """A GUID that was never given before, and is the same whenever the same things happen in the same order."""
        self._serial += 1
        return str(uuid5(NAMESPACE_URL, "/".join(("countersign-world", *seed, str(self._serial))).lower()))

    @contextmanager
    def lagging(self) -> Iterator[set[str]]:
        """While a list is read: what was deleted under the fault "eventual" is still there.

        The caller adds to the set the keys that its answer showed; each showing uses up one of the lag's reads.
        """
        shown: set[str] = set()
        self._lagging = True
        try:
            yield shown
        finally:
            self._lagging = False
            left = {k: (r, n - (k in shown)) for k, (r, n) in self._ghosts.items()}
            self._ghosts = {k: (r, n) for k, (r, n) in left.items() if n > 0}

    @property
    def ghosts(self) -> Iterable[str]:
        """Keys of what lists may still show."""
        return self._ghosts.keys()

    def _late(self, *, lag: bool = True) -> Iterable[Resource]:
        return [r for k, (r, _) in self._ghosts.items() if k not in self._resources] if lag and self._lagging else ()

    def _touch(self, kind: str) -> None:
        self._revisions[kind.lower()] = self.revision(kind) + 1

    # -- whole -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Json]:
        """All of it as a score compares it: see world_snapshot.py."""
        from sandbox.azure.world_snapshot import snapshot

        return snapshot(self)

    def dump(self) -> Json:
        """All state as plain JSON."""
        return {
            "tenant": self.tenant,
            "directory": self.directory.dump(),
            "activity": self.activity.dump(),
            "operations": self.operations,
            "state": self.state,
            "parents": self.parents,
            "pace": asdict(self.pace),
            "mails": self.mails,
            "changes": self.changes,
            "resources": [asdict(r) for r in self],
            "serial": self._serial,
        }

    @classmethod
    def restore(cls, state: Json) -> "World":
        """The inverse of `dump`."""
        world = cls(state["tenant"])
        world.directory = Directory.restore(state["directory"])
        world.activity = ActivityLog.restore(state["activity"])
        for name in ("operations", "state", "parents", "mails", "changes"):
            setattr(world, name, state.get(name, []))
        world.pace = Pace(**state["pace"])
        for entry in state["resources"]:
            resource = Resource(**entry)
            world._resources[resource.key] = resource
            world._types.setdefault(resource.type.lower(), {})[resource.key] = resource
        world._serial = state["serial"]
        return world

    def save(self, path: Path) -> None:
        """Write all state to a file, whole or not at all."""
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(self.dump()), encoding="utf-8")
        part.replace(path)

    @classmethod
    def open(cls, path: Path) -> "World":
        """Read what `save` wrote."""
        return cls.restore(json.loads(path.read_text(encoding="utf-8")))

    def load(self, data: Json, at: datetime) -> None:
        """Add a base world to this one. See world_file.py for the shape. Raises ValueError naming what is wrong."""
        from sandbox.azure import world_file

        world_file.load(self, data, at)
