"""What callers did before the window: a summary of each, by which it is told what is new for him.

No activity is kept. A summary holds names (operations, networks, client applications), each with the days on which it
was seen, so that the order of the log doesn't matter; how many names are held in all is bounded.
"""

import ipaddress
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from responders.investigation.activity import Activity

# With less than this before the window, nothing can be called new for a caller (Elastic's new-terms rules look 7 days
# back, Sentinel's 14 to 90).
ENOUGH_DAYS, ENOUGH = 7, 20
# Names held in all, at some 100 bytes each. What comes when they are used up is not learned, and then nothing that
# isn't found is called new.
ROOM = 200_000
_MOST_OF_A_SUSPECT = 2_000
# So many different networks for each day on which he did something, and another one says nothing.
ROAMING = 0.5

# Kinds of operation of which many at once are worth a look, by the ends of their names. How many: bursts.py.
_KINDS = (
    ("deletions", ("/delete",)),
    ("copies of disks", ("/snapshots/write", "/restorepoints/write", "/begingetaccess/action")),
    ("readings of keys", ("keys/action", "/listsecrets/action", "/listcredentials/action", "/publishxml/action")),
    ("commands on machines", ("/runcommand/action", "/runcommands/write")),
    ("role assignments", ("/roleassignments/write",)),
    ("machines made", ("/virtualmachines/write",)),
    ("machines started", ("/virtualmachines/start/action",)),
)
_ANY = tuple(end for _, ends in _KINDS for end in ends)


class History(Struct, gc=False):
    """One caller before the window. The sets of days are numbers whose bit n stands for the nth day."""

    count: int = 0  # of activities
    days: int = 0
    hours: int = 0  # of the day, UTC
    operations: dict[str, int] = {}  # each with its days; as are the next two
    networks: dict[str, int] = {}
    apps: dict[str, int] = {}
    kinds: dict[str, dict[int, int]] = {}  # kind: day: how many
    strong: bool = False  # whether he ever came with more than a password
    suspect: bool = False
    partial: bool = False  # whether there was no room for all of it

    def busiest(self, kind: str) -> int:
        """How many of a kind he did on the day with most of them."""
        return max(self.kinds.get(kind, {}).values(), default=0)

    @property
    def roams(self) -> bool:
        """Whether his networks change so often that one more says nothing, as those of hosted build agents do."""
        return len(self.networks) > max(3, self.days.bit_count() * ROAMING)


class Baseline:
    """The callers before the window."""

    def __init__(self, since: datetime, window: datetime, suspects: frozenset[str] = frozenset()) -> None:
        """It goes from `since` to `window`. Of the `suspects`, by id or name, more is learned than of others."""
        self._first, self._end = since.toordinal(), window.toordinal()
        self._suspects = suspects
        self._callers: dict[str, History] = {}
        self._ids: dict[str, str] = {}  # object id by name, for events that say only the name
        self._merged: dict[tuple[str, str], History] = {}
        self._names: dict[str, str] = {}  # one copy of each text
        self._room = ROOM
        self.count = self._days = 0

    def add(self, activity: Activity) -> None:
        """Learn from an activity before the window."""
        at = activity.at
        day = 1 << max(0, at.toordinal() - self._first)
        self.count += 1
        self._days |= day
        who = activity.oid or activity.caller.lower()
        if not who:
            return
        history = self._callers.get(who)
        if history is None:
            name = activity.caller.lower()
            suspect = who in self._suspects or name in self._suspects
            if self._room <= 0 and not suspect:
                return
            history = self._callers[who] = History(suspect=suspect)
            self._room -= 8  # it weighs more than a name
            if activity.oid and name != who:
                self._ids[name] = who
        history.count += 1
        history.days |= day
        history.hours |= 1 << at.hour
        self._learn(history, history.operations, activity.operation, day)
        if activity.address:
            self._learn(history, history.networks, network(activity.address), day)
        if activity.appid:
            self._learn(history, history.apps, activity.appid, day)
        if not history.strong and is_strong(activity.amr):
            history.strong = True
        if (found := kind(activity.operation)) and activity.outcome != "failed":
            days = history.kinds.setdefault(found, {})
            if day not in days:
                self._room -= 1
            days[day] = days.get(day, 0) + 1

    def of(self, activity: Activity) -> History | None:
        """The history of who did this; None when nothing of him is known."""
        name = activity.caller.lower()
        id_ = activity.oid or self._ids.get(name, "")
        one, other = self._callers.get(id_), self._callers.get(name) if name != id_ else None
        if one is None or other is None:
            return one or other
        key = (id_, name)
        if key not in self._merged:
            self._merged[key] = _merged(one, other)
        return self._merged[key]

    def knows_network(self, activity: Activity) -> bool:
        """Whether its caller used the network that it came from before the window."""
        history = self.of(activity)
        return bool(activity.address and history and network(activity.address) in history.networks)

    def enough(self, history: History) -> bool:
        """Whether a caller's history is long enough to tell what is new for him."""
        return history.count >= ENOUGH and self._span(history.days) >= ENOUGH_DAYS

    @property
    def covers(self) -> bool:
        """Whether the log was seen long enough for "never seen before" to mean something."""
        return self.count >= ENOUGH and self.span >= ENOUGH_DAYS and self._room > 0

    @property
    def span(self) -> int:
        """Days from the first activity to the window."""
        return self._span(self._days)

    def span_of(self, history: History) -> int:
        """Days from a caller's first activity to the window."""
        return self._span(history.days)

    @property
    def full(self) -> bool:
        """Whether there was more to learn than is held."""
        return self._room <= 0

    def _span(self, days: int) -> int:
        if not days:
            return 0
        return self._end - self._first - ((days & -days).bit_length() - 1)

    def _learn(self, history: History, names: dict[str, int], name: str, day: int) -> None:
        known = names.get(name)
        if known is not None:
            names[name] = known | day
        elif not name:
            return
        elif self._room > 0 or (history.suspect and len(names) < _MOST_OF_A_SUSPECT):
            names[self._names.setdefault(name, name)] = day
            self._room -= 1
        else:
            history.partial = True


def _merged(one: History, other: History) -> History:
    """Two halves of one caller: events with his id, and events with his name only."""

    def union(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
        return left | {name: left.get(name, 0) | days for name, days in right.items()}

    return History(
        count=one.count + other.count,
        days=one.days | other.days,
        hours=one.hours | other.hours,
        operations=union(one.operations, other.operations),
        networks=union(one.networks, other.networks),
        apps=union(one.apps, other.apps),
        kinds={name: _sums(one.kinds.get(name, {}), other.kinds.get(name, {})) for name in one.kinds | other.kinds},
        strong=one.strong or other.strong,
        partial=one.partial or other.partial,
    )


def _sums(left: dict[int, int], right: dict[int, int]) -> dict[int, int]:
    """Two counts by day, added."""
    return left | {day: left.get(day, 0) + n for day, n in right.items()}


@lru_cache(maxsize=4096)
def kind(operation: str) -> str:
    """The kind of an operation of which many at once are worth a look; "" for all others."""
    if not operation.endswith(_ANY):
        return ""
    return next(name for name, ends in _KINDS if operation.endswith(ends))


@lru_cache(maxsize=65536)
def network(address: str) -> str:
    """The network that an address is in, as wide as one provider's or one site's: /16, or /48 of IPv6. "" for none."""
    host = address.strip().removeprefix("[").partition("]")[0]
    if host.count(":") == 1:  # with a port
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    return str(ipaddress.ip_network((found, 16 if found.version == 4 else 48), strict=False))  # noqa: PLR2004


# How more than a password shows in a token: Entra's "authentication methods references".
_STRONG = frozenset({"mfa", "ngcmfa", "fido", "rsa", "hwk", "swk", "otp", "x509"})


def is_strong(amr: tuple[str, ...]) -> bool:
    """Whether a token came of more than a password."""
    return not _STRONG.isdisjoint(amr)
