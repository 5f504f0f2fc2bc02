"""The main job, before your eyes: an attack on the sandbox, the alert, the response, and what came of it."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from sandbox.drill import perform
from sandbox.scene import EXERCISES, Scene, load
from sandbox.score import Score

Json = dict[str, Any]
DEMO = EXERCISES / "stolen-operator-runbook.yaml"
_COLORS = {"done": "green", "already_so": "green", "failed": "red", "drifted": "yellow", "unverified": "yellow"}


class Narrator:
    """Tells what happens in an exercise, each thing once."""

    def __init__(self, scene: Scene, console: Console) -> None:
        self._scene, self._console = scene, console
        self._names = {oid: name for name, oid in scene.identities.items() if "@" in name}
        self._said: set[str] = set()

    def __call__(self, event: str, what: Json) -> None:
        """Take one event of the performance."""
        getattr(self, f"_{event}", lambda _: None)(what)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._once(f"\n[bold]{escape(text)}[/bold]")

    def _call(self, what: Json) -> None:
        if any(call.target == what["to"] for call in self._scene.exercise.attack):
            self.heading("The attack")
            where = what["to"].partition("?")[0].rpartition("/providers/")[2]
            self._once(f"  [red]{escape(what['as'])}[/red]  {what['method'].upper():<6} {escape(where)}")

    def _alert(self, what: Json) -> None:
        self.heading("The alert")
        properties = what["properties"]
        self._once(f"  {escape(properties['alertDisplayName'])} ({properties['severity']})")
        self._once(f"  delivered by {self._scene.exercise.alert.via}; read again from Defender")

    def _incident(self, what: Json) -> None:
        question = what.get("question")
        if question:
            self.heading("The owner")
            self._once(f"  asked: {', '.join(question['owners'])}")
            if question.get("answer"):
                self._once(f"  {question['by']} says: [bold]{question['answer']}[/bold]")
        self._findings(what["findings"]["list"])
        for gate in what["gates"]:
            self._gate(gate)
        for step in what["steps"]:
            for change in step["changes"]:
                if change.get("status"):
                    self._change(change)
        for undo in what["undo"]:
            if undo["ended"]:
                self._once(f"  [green]✓[/green] {undo['result']}")

    def _findings(self, findings: list[Json]) -> None:
        for finding in findings:
            if finding["level"] == "none":
                continue
            self.heading("Findings")
            where = finding["resource"].rpartition("/providers/")[2] or finding["resource"]
            grave = f"{finding['level']} {finding['score']:g}"
            self._once(f"  {finding['at'][11:16]}  {grave:<13} {escape(finding['reason'])}: {escape(where)}")

    def _gate(self, gate: Json) -> None:
        if gate["gate"] in self._said:
            return
        self._said.add(gate["gate"])
        need = "two people" if gate["needs"] == 2 else "one person"  # noqa: PLR2004
        subject = gate["subject"].get("name") or gate["subject"]["id"]
        self._say(
            f"\n[bold]Plan[/bold] {gate['action']} on {escape(subject)}, digest {gate['digest'][:12]}…, needs {need}"
        )
        for change in gate["plan"]["changes"]:
            self._say(f"  - {'put back: ' if gate['action'] == 'undo' else ''}{escape(change['summary'])}")
            if gate["action"] != "undo":
                self._say("\n".join(f"      because {escape(reason)}" for reason in change["reasons"]))

    def _vote(self, what: Json) -> None:
        name = self._names.get(what["by"], what["by"])
        self._say(f"  {escape(str(name))} countersigns {what['action']}: [bold]{what['decision']}[/bold]")

    def _change(self, change: Json) -> None:
        color = _COLORS.get(change["status"], "white")
        seen = ", and seen to be so" if change.get("verified") == "done" else ""
        if not change.get("verified"):
            return
        self._once(f"  [{color}]✓[/{color}] {escape(change['summary'])}: {change['status']}{seen}")

    def _undo(self, _what: Json) -> None:
        self.heading("Undo, to show that nothing is lost")

    def _once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


async def demo(keep: Path, *, plain: bool) -> int:
    """Perform the exercise, tell it, and say where the report is. Returns the exit status."""
    console = Console(no_color=plain, force_terminal=not plain and None, width=120)
    scene = load(DEMO)
    console.print(f"[bold]{escape(scene.exercise.title)}[/bold]", highlight=False)
    narrator = Narrator(scene, console)
    score = await perform(scene, keep=keep, tell=narrator)
    _tell_score(score, console)
    reports = sorted((keep / scene.exercise.id).rglob("reports/*.html"))
    for report in reports[:1]:
        console.print(f"\nThe report: {report} (and .json beside it)", highlight=False, soft_wrap=True)
    return 0 if score.passed else 1


def _tell_score(score: Score, console: Console) -> None:
    console.print("\n[bold]Score[/bold]")
    console.print(f"  evicted {score.evicted}, kept {score.kept} byte for byte, alert {score.alert}", highlight=False)
    console.print(
        f"  {score.approvals} approvals asked, {score.calls} calls to Azure, {score.seconds:.1f} s", highlight=False
    )
    if score.undone is not None:
        console.print(f"  undo restored the world: {'yes' if score.undone else 'no'}", highlight=False)
    for failure in score.failures:
        console.print(f"  [red]{escape(failure)}[/red]", highlight=False, soft_wrap=True)
