"""All that outlives the process: one SQLite file with instances, their histories, and work and messages under way."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.functions.events import CONTROL, Json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, execution TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, parent TEXT,
    input TEXT, status TEXT NOT NULL, custom TEXT, output TEXT, created TEXT NOT NULL, updated TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_creation ON instances (created, id);
CREATE TABLE IF NOT EXISTS history (
    instance TEXT NOT NULL, place INTEGER NOT NULL, event TEXT NOT NULL, retry TEXT,
    PRIMARY KEY (instance, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL, execution TEXT NOT NULL,
    due TEXT NOT NULL, timer INTEGER, control INTEGER NOT NULL, event TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_instance ON messages (instance, due);
CREATE INDEX IF NOT EXISTS timers ON messages (due) WHERE timer IS NOT NULL;
CREATE TABLE IF NOT EXISTS activities (
    instance TEXT NOT NULL, execution TEXT NOT NULL, task INTEGER NOT NULL, name TEXT NOT NULL, input TEXT,
    PRIMARY KEY (instance, execution, task)) WITHOUT ROWID;
"""
FINISHED = ("Completed", "Failed", "Terminated", "Canceled")


class InUse(Exception):  # noqa: N818  says what is the matter
    """Another host has the file open."""


class Instance(NamedTuple):
    """An orchestration. Texts named input, custom, output and parent are JSON, or None."""

    id: str
    execution: str  # new with each start and each "continue as new"
    name: str
    version: str
    parent: str | None  # {"instance", "execution", "task"} of the orchestration that waits for this one
    input: str | None
    status: str
    custom: str | None
    output: str | None
    created: str
    updated: str

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


class Message(NamedTuple):
    """An event on its way to an instance. A timer is a message that is due in the future."""

    number: int
    execution: str  # "" for whichever execution is there
    event: Json


class Activity(NamedTuple):
    """An activity that was scheduled and has not ended."""

    instance: str
    execution: str
    task: int
    name: str
    input: str | None


class Store:
    """The file. Every method but `transaction` is one statement: group those that belong together.

    Used from one thread. Write-ahead log with synchronous=NORMAL: a commit reaches the operating system before it
    returns, so a process killed at any moment loses nothing. Only a power cut could lose the last commits; the file
    stays whole even then.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0, cached_statements=256)
        try:
            # Exclusive: two hosts on one file would run everything twice.
            self._db.executescript("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
            self._db.executescript(_SCHEMA)
            self._db.executescript("BEGIN IMMEDIATE; COMMIT;")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise InUse(f"{path} can't be opened: {error}. Is another host running on it?") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside happens, or nothing of it. Not to be nested."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self.commit()

    def commit(self) -> None:
        """End a transaction. A place of its own, so that tests can die right before or after it."""
        self._db.execute("COMMIT")

    def setting(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_setting(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def instance(self, instance: str) -> Instance | None:
        row = self._db.execute("SELECT * FROM instances WHERE id = ?", (instance,)).fetchone()
        return Instance(*row) if row else None

    def put_instance(self, instance: Instance) -> None:
        """Write an instance, whether or not it is there."""
        self._db.execute(f"INSERT OR REPLACE INTO instances VALUES ({_marks(Instance)})", instance)  # noqa: S608  question marks

    def find_instances(self, *, condition: str, values: Iterable[str], limit: int = -1) -> list[Instance]:
        """Instances by creation. `condition` is SQL written in this package, never text from outside."""
        query = f"SELECT * FROM instances WHERE {condition} ORDER BY created, id LIMIT ?"  # noqa: S608  see above
        return [Instance(*row) for row in self._db.execute(query, (*values, limit))]

    def forget(self, instance: str) -> None:
        """Remove an instance with its history and messages. Activities under way end by themselves."""
        self._db.execute("DELETE FROM instances WHERE id = ?", (instance,))
        self.forget_history(instance)
        self.forget_messages(instance)

    def history(self, instance: str) -> list[tuple[str, str | None]]:
        """Each event as JSON, with the retry options (JSON) of the task it created, if that has any."""
        query = "SELECT event, retry FROM history WHERE instance = ? ORDER BY place"
        return self._db.execute(query, (instance,)).fetchall()

    def append(self, instance: str, place: int, rows: Iterable[tuple[str, str | None]]) -> None:
        """Add to a history that has `place` events already."""
        numbered = ((instance, place + i, *row) for i, row in enumerate(rows))
        self._db.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", numbered)

    def forget_history(self, instance: str) -> None:
        self._db.execute("DELETE FROM history WHERE instance = ?", (instance,))

    def send(self, instance: str, execution: str, event: Json, *, due: str = "", timer: int | None = None) -> None:
        """Leave a message. It is delivered at once; that of a timer when it is due."""
        control = event["EventType"] in CONTROL
        values = (instance, execution, due or event["Timestamp"], timer, control, json.dumps(event))
        query = "INSERT INTO messages (instance, execution, due, timer, control, event) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.execute(query, values)

    def messages(self, instance: str, now: str) -> list[Message]:
        """Return what waits for an instance, in the order in which it came to be due."""
        query = """SELECT number, execution, event FROM messages
            WHERE instance = ? AND (timer IS NULL OR due <= ?) ORDER BY due, number"""
        return [Message(n, x, json.loads(e)) for n, x, e in self._db.execute(query, (instance, now))]

    def take(self, numbers: Iterable[int]) -> None:
        """Remove messages that were delivered."""
        self._db.executemany("DELETE FROM messages WHERE number = ?", ((n,) for n in numbers))

    def cancel_timer(self, instance: str, execution: str, timer: int) -> None:
        query = "DELETE FROM messages WHERE instance = ? AND execution = ? AND timer = ?"
        self._db.execute(query, (instance, execution, timer))

    def forget_messages(self, instance: str) -> None:
        self._db.execute("DELETE FROM messages WHERE instance = ?", (instance,))

    def runnable(self, now: str) -> list[str]:
        """Return the instances for which a message is due."""
        query = """SELECT DISTINCT m.instance FROM messages m JOIN instances i ON i.id = m.instance
            WHERE (m.timer IS NULL OR m.due <= ?) AND (m.control OR i.status <> 'Suspended')"""
        return [row[0] for row in self._db.execute(query, (now,))]

    def next_timer(self) -> str | None:
        """When the next timer is due that is not held back by a suspension."""
        query = """SELECT MIN(m.due) FROM messages m JOIN instances i ON i.id = m.instance
            WHERE m.timer IS NOT NULL AND i.status <> 'Suspended'"""
        return self._db.execute(query).fetchone()[0]  # type: ignore[no-any-return]

    def activities(self) -> list[Activity]:
        """Return all that were scheduled and have not ended."""
        return [Activity(*row) for row in self._db.execute("SELECT * FROM activities")]

    def put_activity(self, activity: Activity) -> None:
        self._db.execute(f"INSERT INTO activities VALUES ({_marks(Activity)})", activity)  # noqa: S608  question marks

    def end_activity(self, activity: Activity) -> None:
        query = "DELETE FROM activities WHERE instance = ? AND execution = ? AND task = ?"
        self._db.execute(query, activity[:3])


def _marks(row: type[Any]) -> str:
    return ", ".join("?" * len(row._fields))
