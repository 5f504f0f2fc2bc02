"""A Functions host that dies: `python -m sandbox.mortal MOMENT …` is `python -m sandbox.functions …` until that moment.

Each commit of its database has two moments, the one right before it and the one right after, counted from 1. Dying is
SIGKILL: nothing is cleaned up, as when the power fails or the platform takes the machine away.
"""

import os
import signal
import sys

from sandbox.functions import __main__ as host
from sandbox.functions.history import Store


def main() -> None:
    """Run until the moment comes."""
    left = int(sys.argv.pop(1))
    commit = Store.commit

    def moment() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(store: Store) -> None:
        moment()
        commit(store)
        moment()

    Store.commit = mortal  # type: ignore[method-assign, assignment]
    host.main()


if __name__ == "__main__":
    main()
