"""The command line: what there is, what it would do, and how to set it going.

    python -m playbooks list                 the playbooks, and their actions
    python -m playbooks show ID              one action: what it changes, what it may, who must agree
    python -m playbooks plan ALERT           what the response to an alert would change now; writes nothing
    python -m playbooks investigate …        what a subscription's log shows of a time, without an alert; writes nothing
    python -m playbooks run ALERT            hand an alert to the deployed responder, and follow it
    python -m playbooks undo INCIDENT        ask for an incident's changes to be undone, and follow it
    python -m playbooks doctor               check the deployment, and say how to put it right; writes nothing
    python -m playbooks smoke                have Defender make its sample alerts, and follow them to the responder

ALERT is an alert's Resource Manager id, or a file that holds an alert in any shape. `plan` and `investigate` read Azure
as you, by the ordinary credential chain (az login, environment, managed identity). `run` and `undo` go to the responder
at COUNTERSIGN_URL, with the token in COUNTERSIGN_TOKEN.

`investigate --subscription GUID --since WHEN [--until WHEN] [--account WHO]…` needs no settings. Those that are set
count: COUNTERSIGN_BASELINE, _RULES, _WORKSPACE; and where COUNTERSIGN_SUBSCRIPTIONS is set, any other subscription is
refused. WHEN is a time (2026-03-01T08:00Z), or for how long back (PT6H, P3D). WHO is a suspect: a user principal name,
or an object id. Without one all are judged by what they did.

`doctor` takes the responder's own settings, and reads Azure as you. --identity OBJECT-ID: whose rights are looked at,
if not yours. --group ID: the resource group of the deployment. `smoke` asks Defender as you, and the responder with
that token.

Exit status: 0 done, 1 not done (the reason is printed), 2 called wrongly.
"""

import argparse
import asyncio
import inspect
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playbooks import catalogue, dispatch, doctor, investigate, investigated, remote, smoke
from playbooks.case import build
from playbooks.terminal import shown
from responders import alerts, defender
from responders.actions import action
from responders.azure import explained
from responders.errors import CountersignError, Permanent
from responders.incident import incident_id
from responders.investigation import everywhere, scope
from responders.model import Alert, Plan, digest, plain
from responders.protection import withhold
from responders.services import Services
from responders.settings import Settings
from responders.utc import utc


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(
        prog="python -m playbooks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, what in (("list", ""), ("show", "id"), ("plan", "alert"), ("run", "alert"), ("undo", "incident")):
        command = commands.add_parser(name)
        if what:
            command.add_argument(what)
        if name in {"list", "plan"}:
            command.add_argument("--json", action="store_true", help="for machines")
        if name == "undo":
            command.add_argument("--reason", default="", help="why; kept in the journal")
    _investigate_arguments(commands.add_parser("investigate"))
    _examining_arguments(commands.add_parser("doctor"), commands.add_parser("smoke"))
    given = parser.parse_args(arguments)
    if not given.command:
        parser.print_help()
        return 2
    try:
        return _perform(given)
    except CountersignError as error:
        print(shown(str(error)), file=sys.stderr)
        return 1


def _investigate_arguments(command: argparse.ArgumentParser) -> None:
    when = "a time (2026-03-01T08:00Z), or for how long back (PT6H, P3D)"
    command.add_argument("--subscription", required=True, type=investigate.subscription, metavar="GUID")
    command.add_argument("--since", required=True, type=investigate.moment, metavar="WHEN", help=when)
    command.add_argument("--until", type=investigate.moment, metavar="WHEN", help="now, if it isn't given")
    command.add_argument(
        "--account",
        action="append",
        default=[],
        type=investigate.account,
        metavar="WHO",
        help="a suspect: a user principal name, or an object id; may be given more than once",
    )
    command.add_argument("--json", action="store_true", help="for machines")
    command.add_argument("--html", type=Path, metavar="FILE", help="write it as a page, with a picture of the timeline")


def _examining_arguments(doctor: argparse.ArgumentParser, smoke: argparse.ArgumentParser) -> None:
    doctor.add_argument("--identity", default="", metavar="OBJECT-ID", help="the responder's identity")
    doctor.add_argument("--group", default="", metavar="ID", help="the resource group of the deployment")
    without = "a role that the deployment does without: destroyer or remover; may be given more than once"
    doctor.add_argument("--without", action="append", default=[], metavar="ROLE", help=without)
    smoke.add_argument("--subscription", default="", metavar="GUID", help="the first that is guarded, if not given")
    smoke.add_argument("--location", default="centralus", help="the region of the sample alerts")
    smoke.add_argument("--patience", type=float, default=1800, metavar="SECONDS", help="how long each hop may take")
    for command in (doctor, smoke):
        command.add_argument("--json", action="store_true", help="for machines")


def _perform(given: argparse.Namespace) -> int:
    match given.command:
        case "list":
            print(json.dumps(catalogue.rows(), indent=2) if given.json else catalogue.text())
        case "show":
            _show(given.id)
        case "plan":
            plans = asyncio.run(_plan(given.alert))
            print(json.dumps([plain(p) for p in plans], indent=2) if given.json else "\n\n".join(map(_told, plans)))
        case "investigate":
            _investigate(given)
        case "run":
            return asyncio.run(remote.run(_payload(given.alert)))
        case "doctor":
            return asyncio.run(doctor.main(given.identity, given.group, tuple(given.without), as_json=given.json))
        case "smoke":
            wanted = smoke.Wanted(given.subscription, given.location, timedelta(seconds=given.patience))
            return asyncio.run(smoke.main(wanted, as_json=given.json))
        case "undo":
            return asyncio.run(remote.undo(given.incident, given.reason))
    return 0


def _show(id_: str) -> None:
    one = action(id_)
    gates = [step.gate for book in dispatch.PLAYBOOKS.values() for step in book if step.action == id_]
    print(f"{one.id}\n\n{inspect.cleandoc(one.__doc__ or '')}\n")
    print(f"Reversible: {'yes' if one.reversible else 'no'}")
    print(f"Approvals by default: {', '.join(dict.fromkeys(gates)) or 'in no playbook'}")
    print("Permissions:\n" + "\n".join(f"  {p}" for p in one.permissions))


def _investigate(given: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    until = min(given.until or now, now)
    if given.since >= until:
        raise Permanent(f"There is nothing between {given.since:%Y-%m-%d %H:%M} and {utc(until)}.")
    asked = investigate.Asked(
        subscription=given.subscription, since=given.since, until=until, accounts=tuple(given.account)
    )
    report = asyncio.run(investigate.investigate(asked, now))
    if given.html:
        try:
            given.html.write_bytes(investigated.page(report))
        except OSError as error:
            raise Permanent(f"The page can't be written to {given.html}: {error.strerror}.") from error
    print(json.dumps(report, indent=2) if given.json else investigated.text(report))


async def _plan(text: str) -> list[Plan]:
    # No evidence is kept: this command leaves nothing behind.
    its = Services(Settings.load({"COUNTERSIGN_EVIDENCE": "memory://", **os.environ}))
    try:
        with explained("planning"):
            alert = await _alert(its, text)
            at = datetime.now(UTC)
            case = await build(its, incident_id(alert), alert, at)
            case, _ = await scope.widen(its.azure, case)
            case, _ = await everywhere.look(its.azure, its.settings, case, now=at)
            own = await its.azure.own_id()
            return [
                withhold(await action(step.action).plan(case, subject, its.azure), await its.guarded(), own)
                for subject in dispatch.subjects(case)
                for step in dispatch.PLAYBOOKS[subject.kind]
            ]
    finally:
        await its.close()


async def _alert(its: Services, text: str) -> Alert:
    arrival = alerts.parse(_payload(text))[0]
    id_ = getattr(arrival, "id", "")
    if not id_:
        raise Permanent(f"{text[:200]!r} holds no alert whose Resource Manager id is known.")
    alert = await defender.read(its.azure, id_)
    if alert is None:
        raise Permanent(f"Defender knows no alert {id_}.")
    return alert


def _payload(text: str) -> bytes:
    if text.startswith("/subscriptions/"):
        return json.dumps({"id": text}).encode()
    try:
        return Path(text).read_bytes()
    except OSError as error:
        raise Permanent(f"{text[:200]!r} is neither an alert's id nor a file that can be read: {error}") from error


def _told(plan: Plan) -> str:
    gate = next(s.gate for s in dispatch.PLAYBOOKS[plan.subject.kind] if s.action == plan.action)
    lines = [f"{plan.action} on {plan.subject.name or plan.subject.id}"]
    if plan.changes:
        lines[0] += f"  (approvals: {gate}, digest {digest(plan)[:12]}…)"
    for change in plan.changes:
        lines += [f"  - {change.summary}", *(f"      because {r}" for r in change.reasons)]
        lines += [f"      {change.lasting}"] if change.lasting else []
    lines += [f"  {plan.reason}"] if not plan.changes else []
    return "\n".join(map(shown, lines + [f"  kept: {line}" for line in plan.kept]))


if __name__ == "__main__":
    sys.exit(main())
