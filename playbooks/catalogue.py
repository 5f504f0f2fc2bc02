"""The table of playbooks and actions, made from the code."""

import inspect
from itertools import groupby
from operator import itemgetter

from playbooks.dispatch import PLAYBOOKS
from responders.actions import action
from responders.model import Json


def rows() -> list[Json]:
    """One row for each step of each playbook, in order."""
    return [
        {
            "playbook": kind,
            "action": step.action,
            "changes": _first_sentence(action(step.action).__doc__ or ""),
            "reversible": action(step.action).reversible,
            "approvals": step.gate,
            "permissions": list(action(step.action).permissions),
        }
        for kind, book in PLAYBOOKS.items()
        for step in book
    ]


def text() -> str:
    """For a terminal."""
    lines = []
    for kind, book in groupby(rows(), key=itemgetter("playbook")):
        lines.append(f"{kind}")
        for row in book:
            back = "reversible" if row["reversible"] else "irreversible"
            lines.append(f"  {row['action']:<38} {row['approvals']:<5} {back:<13} {row['changes']}")
    return "\n".join(lines)


def markdown() -> str:
    """For the README: one row an action, since playbooks share them."""
    lines = ["| action | what it does | playbooks | undo | approvals |", "|---|---|---|---|---|"]
    for id_ in dict.fromkeys(row["action"] for row in rows()):
        mine = [row for row in rows() if row["action"] == id_]
        books = ", ".join(dict.fromkeys(row["playbook"] for row in mine))
        back = "yes" if mine[0]["reversible"] else "no"
        lines.append(f"| `{id_}` | {mine[0]['changes']} | {books} | {back} | {mine[0]['approvals']} |")
    return "\n".join(lines)


def _first_sentence(doc: str) -> str:
    first = inspect.cleandoc(doc).split("\n", 1)[0]
    return first.split(" (")[0].rstrip(".") + "."
