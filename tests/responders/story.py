"""Incidents as the workflow and the API write them, by hand: their journal entries and evidence, without Azure."""

from datetime import UTC, datetime, timedelta

from responders.approvals import Answer, GateRecord, Person, Question, Vote, selection
from responders.evidence import Evidence
from responders.incident import Incident
from responders.model import Actor, Alert, Case, Change, Finding, Json, Plan, Principal, Subject, digest, plain
from responders.related import Related

US = "countersign"
ID = "0123456789abcdef0123"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
AUTOMATION = f"{SCOPE}/resourceGroups/ops/providers/Microsoft.Automation/automationAccounts/nightly"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
STRIP, RUNBOOKS, REVOKE = (
    "subscriptions.strip_role_assignments",
    "subscriptions.remove_runbooks",
    "users.revoke_sessions",
)

MALLORY = Principal(id="a" * 32, kind="user", name="Mallory", upn="mallory@contoso.example", tenant="t" * 8)
OWNER = Person(id="b" * 32, name="olivia@contoso.example", roles=("Owner",))
ANN = Person(id="c" * 32, name="ann@contoso.example", roles=("Approver",))
BOB = Person(id="d" * 32, name="bob@contoso.example", roles=("Approver",))

ALERT = Alert(
    name="2518-alert",
    id=f"{SCOPE}/providers/Microsoft.Security/locations/westeurope/alerts/2518-alert",
    type="ARM_OperationFromSuspiciousIP",
    title="Suspicious management operation",
    severity="High",
    status="Active",
    start=NOON - timedelta(hours=1),
    end=NOON - timedelta(minutes=50),
    subscription=SUBSCRIPTION,
    description="Somebody did something from an address that is known for it.",
    actors=(Actor(upn=MALLORY.upn),),
    resources=(SCOPE,),
    addresses=("198.51.100.7",),
    details={"Operation": "Microsoft.Automation/automationAccounts/webhooks/write"},
    link="https://portal.azure.com/#blade/Alert/2518-alert",
)
WHERE = Subject(kind="subscription", id=SUBSCRIPTION, name="Production", reason="the alert was raised on it")
WHO = Subject(kind="user", id=MALLORY.id, name=MALLORY.upn, reason="the alert names it as the actor")
FINDINGS = tuple(
    Finding(
        rule="other",
        reason=why,
        at=NOON - timedelta(minutes=ago),
        operation=operation,
        resource=AUTOMATION,
        caller=MALLORY.id,
    )
    for ago, operation, why in [
        (30, "microsoft.automation/automationaccounts/webhooks/write", "mallory made a webhook"),
        (40, "microsoft.automation/automationaccounts/runbooks/write", "mallory wrote a runbook"),
    ]
)


def change(name: str, action: str = RUNBOOKS, **fields: str) -> Change:
    return Change(
        action=action,
        resource=f"{AUTOMATION}/runbooks/{name}",
        summary=f"delete the runbook {name}",
        reasons=("mallory wrote it at 11:20",),
        before={"name": name, "secret": "never shown"},
        lasting=fields.get("lasting", ""),
    )


ONE, TWO = change("one"), change("two")
PLAN = Plan(action=RUNBOOKS, subject=WHERE, changes=(ONE, TWO), kept=("runbook Backup: familiar",))


class Story:
    """Tells what happens to one incident. Each method is one thing that happens, a minute after the one before."""

    def __init__(self, evidence: Evidence, alert: Alert = ALERT, suspects: tuple[Principal, ...] = (MALLORY,)) -> None:
        self.incident = Incident(evidence, ID)
        self.case = Case(
            incident=ID,
            alert=alert,
            subscription=alert.subscription,
            tenant="t" * 8,
            suspects=suspects,
            since=alert.start - timedelta(hours=24),
            until=NOON,
        )
        self.run = ID
        self.at = NOON
        self._n = 0

    async def note(self, kind: str, what: Json, key: str = "", by: str = US) -> None:
        self.at += timedelta(minutes=1)
        self._n += 1
        await self.incident.journal.append(kind, what, by=by, at=self.at, key=key or f"{kind} {self._n}")

    async def received(self) -> None:
        await self.incident.receive(self.case.alert, {"incident": ID, "by": ""})

    async def alerted(self) -> None:
        alert = self.case.alert
        await self.received()
        what = {"alert": alert.id, "type": alert.type, "title": alert.title, "run": self.run}
        await self.note("alert", what, f"alert {self.run}")

    async def examined(self, result: str = "", reason: str = "") -> None:
        case = self.case
        await self.incident.save_case(self.run, case)
        what = {"suspects": plain(case.suspects), "subscription": case.subscription, "since": plain(case.since)}
        what |= {"severity": case.alert.severity, "result": result, "reason": reason}
        await self.note("examined", what, f"examined {self.run}")

    async def asked(self, text: str = "Was that expected?") -> None:
        expires = self.at + timedelta(minutes=30)
        question = Question(id=self.run, text=text, asked=(OWNER.id,), suspects=(MALLORY.id,), expires=expires)
        await self.incident.ask(question)
        what = {"question": self.run, "text": text, "owners": [OWNER.name], "told": "mailed", "alert": "InProgress"}
        what |= {"why": [f"named by the tag owner: {text}"], "notes": [text]}
        await self.note("asked", {**what, "expires": plain(expires)}, f"asked {self.run}")

    async def gave_answer(self, *, expected: bool, reason: str = "") -> None:
        await self.incident.give_answer(self.run, Answer(by=OWNER, at=self.at, expected=expected, reason=reason))

    async def answered(self, answer: str, reason: str = "") -> None:
        by = "nobody" if answer == "silence" else OWNER.name
        await self.note("answered", {"question": self.run, "answer": answer, "reason": reason}, by=by)

    async def investigated(
        self, *subjects: Subject, by_hand: tuple[str, ...] = (), findings: tuple[Finding, ...] = FINDINGS, wave: int = 0
    ) -> None:
        case, name = self.case.having(findings=findings), f"{self.run}-{wave}"
        await self.incident.save_case(name, case)
        what = {"run": self.run, "case": name, "subjects": plain(subjects), "findings": len(findings)}
        other = Related(
            id=case.alert.id,
            title=case.alert.title,
            severity="Low",
            status="Active",
            start=case.alert.start,
            relation=("the same actor", case.alert.description),
            joins=False,
        )
        await self.note("investigated", {**what, "by_hand": list(by_hand), "others": [plain(other)]})

    async def planned(self, plan: Plan, gate: str = "one", *, step: str = "", needs: int = 1) -> str:
        """Returns the id of the step."""
        step = step or f"{self.run}-0-0-{self._n}-0"
        expires = self.at + timedelta(hours=4)
        answer = {"changes": len(plan.changes), "plan": await self.incident.save_plan(plan), "gate": gate}
        answer["expires"] = expires.isoformat()
        if plan.changes and gate != "auto":
            record = GateRecord(
                id=step, action=plan.action, plan=digest(plan), needs=needs, expires=expires, barred={MALLORY.id: "no"}
            )
            await self.incident.open_gate(record)
        run = step if plan.action == "undo" else step.rsplit("-", 2)[0]
        what = {"step": step, "run": run, "action": plan.action, "subject": plain(plan.subject), "answer": answer}
        what |= {"reason": plan.reason, "kept": list(plan.kept), "by_hand": [], "told": ""}
        await self.note("planned", what, f"planned {step}")
        return step

    async def voted(self, step: str, plan: Plan, by: Person = ANN, decision: str = "approve", reason: str = "") -> None:
        kept = {"decision": decision, "digest": digest(plan), "changes": tuple(c.id for c in plan.changes)}
        vote = Vote(by=by, at=self.at, decision="reject" if decision == "reject" else "approve", digest=digest(plan))
        await self.incident.vote(step, vote)
        await self.note("voted", {"gate": step, **kept, "reason": reason}, by=by.name)

    async def decided(self, step: str, state: str, plan: Plan, by: str = ANN.name, reason: str = "") -> None:
        gate = await self.incident.gate(step)
        part = digest(plan) != gate.plan
        ids = sorted(c.id for c in plan.changes) if part else []
        what = {"step": step, "state": state, "plan": gate.plan, "changes": len(plan.changes), "reason": reason}
        what |= {"chosen": ids, "digest": selection(gate.plan, ids) if state == "approved" else ""}
        await self.note("decided", what, by=by)

    async def applied(
        self, step: str, one: Change, status: str = "done", reason: str = "", *, undo: bool = False
    ) -> None:
        what = {"step": step, "action": one.action, "change": one.id, "resource": one.resource}
        what |= {"summary": one.summary, "status": status, "reason": reason}
        await self.note("undone_change" if undo else "applied", what)

    async def verified(self, step: str, one: Change, status: str = "done", reason: str = "") -> None:
        outcomes = {one.id: {"status": status, "reason": reason, "after": {"secret": "never shown"}}}
        await self.note("verified", {"step": step, "action": one.action, "changes": outcomes})

    async def failed(self, activity: str, reason: str, step: str = "") -> None:
        await self.note("failed", {"activity": activity, "reason": reason, "step": step or self.run})

    async def refused(self, by: Person, why: str, **where: str) -> None:
        await self.note("refused", {**where, "why": why}, by=by.name)

    async def closed(self, result: str, reason: str = "", **alerts: str) -> None:
        what = {"result": result, "reason": reason, "run": self.run, **({"alerts": alerts} if alerts else {})}
        await self.note("closed", what, f"closed {self.run}")

    async def responding(self) -> None:
        """All that comes before the first plan."""
        await self.alerted()
        await self.examined()
        await self.asked()
        await self.answered("silence")
        await self.investigated(WHERE)

    async def approved(self, plan: Plan) -> str:
        await self.responding()
        step = await self.planned(plan)
        await self.decided(step, "approved", plan)
        return step

    async def asked_again(self, letter: str, n: int = 1, reason: str = "", by: Person = ANN) -> str:
        run = f"{ID}-{letter}{n}"
        await self.note("asked_again", {"run": run, "reason": reason}, run, by=by.name)
        return run

    async def undone(self, run: str, result: str = "done", reason: str = "") -> None:
        await self.note("undone", {"result": result, "reason": reason, "run": run}, f"undone {run}")


async def whole(evidence: Evidence, alert: Alert = ALERT) -> Story:
    """An incident from alert to end, with one of everything."""
    story = Story(evidence, alert)
    await story.alerted()
    await story.examined()
    await story.asked()
    await story.refused(Person(id=MALLORY.id, name=MALLORY.upn), "You are a suspect.", question=ID)
    await story.answered("unexpected", "We never do this.")
    await story.investigated(WHERE, WHO, by_hand=("Tell the other tenant.",))
    hook, nightly, loud = change("hook"), change("nightly", lasting="Undo can't bring back its jobs."), change("loud")
    kept = ("runbook Backup: familiar, made by ops in 2023",)
    plan = Plan(action=RUNBOOKS, subject=WHERE, changes=(hook, nightly, loud), kept=kept)
    part = Plan(action=RUNBOOKS, subject=WHERE, changes=(hook, nightly), kept=kept)
    step = await story.planned(plan, "two", needs=2)
    await story.voted(step, part, ANN)
    await story.voted(step, part, BOB, reason="Loud is ours.")
    await story.decided(step, "approved", part, f"{ANN.name}, {BOB.name}", "Loud is ours.")
    await story.applied(step, hook)
    await story.applied(step, nightly)
    await story.verified(step, hook)
    await story.verified(step, nightly, "unverified", "It still shows.")
    nothing = Plan(action=STRIP, subject=WHERE, reason="No assignment here was made by a suspect.")
    await story.planned(nothing)
    sessions = change("sessions", REVOKE, lasting="An ended session stays ended.")
    ended = Plan(action=REVOKE, subject=WHO, changes=(sessions,))
    other = await story.planned(ended)
    await story.decided(other, "expired", ended, "nobody")
    await story.failed("plan", "Graph said 500.", f"{ID}-0-1-0-0")
    await story.closed("unfinished", "1 thing(s) are left to do by hand")
    return story


class Altered(Evidence):
    """A store in which one path reads otherwise."""

    def __init__(self, other: Evidence, end: str, data: bytes) -> None:
        super().__init__(other._store)
        self._end, self._data = end, data

    async def read_bytes(self, path: str) -> bytes | None:
        return self._data if path.endswith(self._end) else await super().read_bytes(path)


class Reading(Evidence):
    """A store that notes what is read."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)
        self.read_paths: list[str] = []

    async def read_bytes(self, path: str) -> bytes | None:
        self.read_paths.append(path)
        return await super().read_bytes(path)
