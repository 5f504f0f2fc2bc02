"""The world as it would be without the attack."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox.score import State


class Innocent:
    """The world before the attack, with what honest people changed since. `look` shows the world as it is."""

    def __init__(self, look: Callable[[], State]) -> None:
        self.state: State = {}
        self._look = look

    @contextmanager
    def watch(self, honest: bool) -> Iterator[None]:  # noqa: FBT001  what play() calls it with
        """Watch one call, of somebody honest or of the attacker."""
        if not honest and not self.state:
            self.state = dict(self._look())
        before = self._look() if honest and self.state else None
        yield
        if before is not None:
            after = self._look()
            theirs = {key for key in (*before, *after) if before.get(key) != after.get(key)}
            kept = {key: body for key, body in self.state.items() if key not in theirs}
            self.state = kept | {key: after[key] for key in theirs if key in after}
