"""The orchestrators as the engine gets them: a run goes on with the code that it began with.

Durable Functions runs an orchestrator again from its beginning whenever something has happened, and holds what it asks
for against the history. A run that waited while the order of its steps was changed would break. So each run carries the
version that host.json had when it began (`defaultVersion`), and is given the code of that version here.

When something in run.py changes the order or the names of what is yielded:

1. keep the released file as playbooks/run_<version>.py, and name it in EARLIER;
2. raise `defaultVersion` in host.json;
3. see that activities still take the orders that the earlier code gives.

A file may go when no run of its version is left: COUNTERSIGN_APPROVAL_WAIT and _OWNER_WAIT say how long that takes.
`python -m playbooks.versions` prints the line for RELEASED; a test holds it against run.py from then on.
"""

import ast
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from azure.durable_functions import DurableOrchestrationContext

from playbooks import run

EARLIER: Mapping[str, ModuleType] = {}
# What run.py was, by version, since a version was released: so that it is not changed by mistake.
RELEASED: Mapping[str, str] = {}


def incident(context: DurableOrchestrationContext) -> run.Run:
    """One incident, from the alert to the report."""
    return _of(context).incident(context)  # type: ignore[no-any-return]


def playbook(context: DurableOrchestrationContext) -> run.Run:
    """The steps of one subject."""
    return _of(context).playbook(context)  # type: ignore[no-any-return]


def undo(context: DurableOrchestrationContext) -> run.Run:
    """What an incident changed, put back."""
    return _of(context).undo(context)  # type: ignore[no-any-return]


def _of(context: DurableOrchestrationContext) -> ModuleType:
    return EARLIER.get(context.version or "", run)


def fingerprint() -> str:
    """SHA-256 of what run.py says to Python: comments and docstrings may change."""
    tree = ast.parse(Path(run.__file__ or "").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return sha256(ast.dump(tree).encode()).hexdigest()


if __name__ == "__main__":
    print(f'    "<version>": "{fingerprint()}",')  # noqa: T201
