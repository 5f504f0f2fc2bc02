"""The workflow, once for all alerts and all actions.

Generators without I/O, clock, random or SDK: Durable Functions runs them, persists them and replays them. What a step
needs from outside is an activity (activities.py); large things stay in the evidence store, and only digests and counts
travel. People's answers are read from the store too: an event only wakes the run that waits for one.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any

from azure.durable_functions import DurableOrchestrationContext, RetryOptions

Json = dict[str, Any]
Run = Generator[Any, Any, Json]

RETRY = RetryOptions(15_000, 20)
# A change may take minutes to show: this long the engine reads again.
VERIFY = RetryOptions(15_000, 60)
# What happened must be written down: for a day, if the evidence store is away that long.
NOTE = RetryOptions(60_000, 24 * 60)
# A step that may take hours is asked for that often at most, so that its history stays short: often at first, since it
# may as well be over in a minute (a machine without a scanner), then ever more seldom.
POLLS = 480
STAIRS = tuple(RetryOptions(pause, 20) for pause in (15_000, 30_000, 60_000))
BATCH = 50  # changes an activity makes, so that a thousand changes are not a thousand history entries
WAVES = 10  # how often an incident looks again because an alert joined it
REPLANS = 3  # how often a step that met a changed world plans and asks anew


def incident(context: DurableOrchestrationContext) -> Run:
    """One incident, from the alert to the report. Input: {"incident", "by"}."""
    order: Json = {**context.get_input(), "run": context.instance_id}
    seen = yield from _call(context, "examine", order)
    if "failed" in seen or seen["result"]:
        return (yield from _close(context, order, seen.get("result") or "not_acted_on", seen.get("failed", "")))
    asked = yield from _call(context, "ask", order)
    # Whom nobody can ask can't say that it was expected.
    answer = "silence" if "failed" in asked else (yield from _hear(context, order, asked))
    if answer != "expected":
        return (yield from _respond(context, order))
    closed = yield from _call(context, "close", {**order, "result": "dismissed", "reason": ""})
    # The answer was about this alert. Those that joined it since are asked about by themselves.
    others = closed.get("others", [])
    if others:
        yield context.task_all(
            [
                context.call_sub_orchestrator("incident", {"incident": o, "by": ""}, f"{o}-own", context.version)
                for o in others
            ]
        )
    return {"result": "dismissed"}


def playbook(context: DurableOrchestrationContext) -> Run:
    """The steps of one subject, in order. Input: the incident's order, "case", "subject" and "steps"."""
    order: Json = {**context.get_input(), "run": context.instance_id}
    steps, waiting = list[Json](), list[tuple[Json, str]]()
    given = order.pop("steps")
    for n, step in enumerate(given):
        if step.get("last"):
            steps += yield from _late(context, order, waiting, len(given))
            waiting = []
        result = yield from _step(context, {**order, **step, "step": f"{context.instance_id}-{n}"})
        steps.append({"action": step["action"], **result})
        waiting += [(step, result["settles"])] if result["settles"] else []
    steps += yield from _late(context, order, waiting, len(given))
    # What one could not do, a later one of the same action finds done, or says anew.
    return {"steps": steps, "by_hand": sum({step["action"]: step["by_hand"] for step in steps}.values())}


def _late(
    context: DurableOrchestrationContext, order: Json, waiting: list[tuple[Json, str]], first: int
) -> Generator[Any, Any, list[Json]]:
    """Plan steps again, once the log that lags must tell of what they saw: each action once, with ids from `first` on.

    What people have to approve before is not held up by it: nobody waits for the log but those who have to.
    """
    if not waiting:
        return []
    yield context.create_timer(max(datetime.fromisoformat(settles) for _, settles in waiting))
    steps = []
    for n, step in enumerate({step["action"]: step for step, _ in waiting}.values()):
        late = {**order, **step, "late": True, "step": f"{context.instance_id}-{first + n}"}
        steps.append({"action": step["action"], **(yield from _step(context, late))})
    return steps


def _respond(context: DurableOrchestrationContext, order: Json) -> Run:
    """Investigate and run the playbooks, again for as long as alerts join that bring new subjects."""
    results: list[str] = []
    by_hand = 0
    early = yield from _call(context, "contain", order)
    yield from _playbooks(context, order, early.get("subjects", []), "c")
    for wave in range(WAVES):
        found = yield from _call(context, "investigate", {**order, "wave": wave})
        if "failed" in found:
            return (yield from _close(context, order, "unfinished", found["failed"]))
        by_hand += found["by_hand"] if wave == 0 else 0
        books = yield from _playbooks(context, order, found["subjects"], str(wave))
        # What one step could not do, a later one of the same action for the same subject finds done, or says anew.
        results += [r for book in books for r in {s["action"]: s["result"] for s in book["steps"]}.values()]
        by_hand += sum(book["by_hand"] for book in books)
        open_ends = sum(r not in {"done", "nothing_to_do", "rejected"} for r in results)
        refused = "rejected" in results and "done" not in results
        left = [f"{open_ends} step(s) did not come to their end"] if open_ends else []
        left += ["every step that would change something was rejected"] if refused and not open_ends else []
        left += [f"{by_hand} thing(s) are left to do by hand"] if by_hand else []
        if not left:
            left = yield from _sign_off(context, {**order, "wave": wave})
        result = "unfinished" if left else "resolved"
        closed = yield from _call(
            context,
            "close",
            {**order, "result": result, "reason": "; ".join(left), "joined": found["joined"]},
        )
        if not closed.get("again"):
            return {"result": result}
    return (yield from _close(context, order, "unfinished", "alerts kept joining; run the incident again"))


def _sign_off(context: DurableOrchestrationContext, order: Json) -> Generator[Any, Any, list[str]]:
    """Have a person sign for what nothing explains. Returns why the incident can't be resolved, if it can't."""
    gate = {**order, "step": f"{context.instance_id}-s{order['wave']}-0", "action": "sign_off"}
    plan = yield from _call(context, "account", gate)
    if "failed" in plan:
        return ["the activities could not be accounted for"]
    if not plan["changes"]:
        return []
    decision, _ = yield from _countersign(context, gate, plan)
    return [] if decision == "approved" else [f"{plan['changes']} thing(s) that were done are unexplained"]


def _playbooks(
    context: DurableOrchestrationContext, order: Json, subjects: list[Json], name: str
) -> Generator[Any, Any, list[Json]]:
    """A sub-orchestration for each subject, side by side. Returns what each came to."""
    books = [
        context.call_sub_orchestrator(
            "playbook", {**order, **subject}, f"{context.instance_id}-{name}-{n}", context.version
        )
        for n, subject in enumerate(subjects)
    ]
    return (yield context.task_all(books)) if books else []


def undo(context: DurableOrchestrationContext) -> Run:
    """Put back what an incident changed, newest first, behind a gate. Input: {"incident", "by", "reason"}."""
    order: Json = {**context.get_input(), "run": context.instance_id, "step": context.instance_id, "action": "undo"}
    plan = yield from _call(context, "plan_undo", order)
    result = "failed" if "failed" in plan else "nothing_to_do"
    if plan.get("changes"):
        result, chosen = yield from _countersign(context, order, plan)
        if result == "approved":
            done = yield from _in_batches(context, "undo_changes", {**order, **chosen}, (VERIFY,))
            result = "done" if all(s in {"done", "already_so"} for s in done) else "unfinished"
    yield from _call(context, "close_undo", {**order, "result": result, "reason": plan.get("failed", "")})
    return {"result": result}


def _step(context: DurableOrchestrationContext, order: Json) -> Run:
    """Plan, ask, apply, verify. Returns {"result", "by_hand": how many things only a person can do, "settles"}.

    `settles` is when a log that lags will have told what it has not yet; "" for nothing to wait for.
    The result is done, nothing_to_do, rejected, expired or unfinished.
    """
    plan: Json = {}
    result = "unfinished"
    for again in range(REPLANS):
        gate = {**order, "step": f"{order['step']}-{again}"}
        plan = yield from _call(context, "plan", gate)
        if "failed" in plan:
            break
        if not plan["changes"]:
            result = "nothing_to_do"
            break
        decision, chosen = yield from _countersign(context, gate, plan)
        if decision != "approved":
            result = decision
            break
        applied = yield from _in_batches(context, "apply", {**gate, **chosen}, _patience(order, RETRY))
        verified = yield from _in_batches(context, "verify", {**gate, **chosen}, _patience(order, VERIFY))
        if "drifted" not in applied:
            settled = all(s in {"done", "already_so"} for s in (*applied, *verified))
            result = "done" if settled else "unfinished"
            break
    return {"result": result, "by_hand": plan.get("by_hand", 0), "settles": plan.get("settles", "")}


def _patience(order: Json, usual: RetryOptions) -> tuple[RetryOptions, ...]:
    """How often a step's changes are asked for, and for how long: as is usual, or for the hours that it may take."""
    if not order.get("hours"):
        return (usual,)
    left = order["hours"] * 3_600_000
    left -= sum(s.first_retry_interval_in_milliseconds * s.max_number_of_attempts for s in STAIRS)
    polls = POLLS - sum(s.max_number_of_attempts for s in STAIRS)
    pause = max(STAIRS[-1].first_retry_interval_in_milliseconds, left // polls)
    return (*STAIRS, RetryOptions(pause, left // pause))


def _countersign(
    context: DurableOrchestrationContext, order: Json, plan: Json
) -> Generator[Any, Any, tuple[str, Json]]:
    """Wait until the plan is approved, rejected or expired. Returns the result, and how many changes may run."""
    if plan["gate"] == "auto":
        return "approved", {"changes": plan["changes"]}
    yield from _wait(context, f"approval-{order['step']}", plan["expires"])
    decision = yield from _call(context, "decide", order)
    if decision.get("state") == "open":
        # Woken without a decision: whoever raised the event was not our API. Look again when time is up.
        yield context.create_timer(datetime.fromisoformat(plan["expires"]))
        decision = yield from _call(context, "decide", {**order, "last": True})
    state = decision.get("state", "unfinished")
    return state, decision


def _hear(context: DurableOrchestrationContext, order: Json, asked: Json) -> Generator[Any, Any, str]:
    """Wait for the owner's answer: expected, unexpected or silence."""
    woken = yield from _wait(context, f"answer-{context.instance_id}", asked["expires"])
    heard = yield from _call(context, "hear", order)
    if woken and heard.get("answer") == "silence":
        yield context.create_timer(datetime.fromisoformat(asked["expires"]))
        heard = yield from _call(context, "hear", {**order, "last": True})
    return str(heard.get("answer", "silence"))


def _close(context: DurableOrchestrationContext, order: Json, result: str, reason: str) -> Run:
    yield from _call(context, "close", {**order, "result": result, "reason": reason})
    return {"result": result}


def _wait(context: DurableOrchestrationContext, event: str, expires: str) -> Generator[Any, Any, bool]:
    """Wait for an event or until a time. True when the event came."""
    answer = context.wait_for_external_event(event)
    timer = context.create_timer(datetime.fromisoformat(expires))
    winner = yield context.task_any([answer, timer])
    if winner is not answer:
        return False
    timer.cancel()  # one left over would keep the instance running until it fires
    return True


def _in_batches(
    context: DurableOrchestrationContext, activity: str, order: Json, retries: tuple[RetryOptions, ...]
) -> Generator[Any, Any, list[str]]:
    """One activity over all changes of a plan. Returns their statuses; `failed` for a batch that came to nothing."""
    statuses: list[str] = []
    for start in range(0, order["changes"], BATCH):
        done = yield from _call(context, activity, {**order, "start": start, "stop": start + BATCH}, *retries)
        statuses += done.get("statuses", ["failed"])
    return statuses


def _call(
    context: DurableOrchestrationContext, activity: str, order: Json, *retries: RetryOptions
) -> Generator[Any, Any, Json]:
    """One activity, which the engine retries: as RETRY says, or as these say one after the other.

    When it comes to nothing, {"failed": the sentence}. Other steps must still run when one is broken, so a failure is a
    value here.
    """
    order = {**order, "at": context.current_utc_datetime.isoformat()}
    result: Json = {}
    for retry in retries or (RETRY,):
        try:
            result = yield context.call_activity_with_retry(activity, retry, order)
            break
        except Exception as error:  # noqa: BLE001  Durable raises nothing narrower for an activity that failed
            result = {"failed": " ".join(str(error).split())[:1000]}
    if "failed" in result:
        failure = {**order, "activity": activity, "text": result["failed"]}
        yield context.call_activity_with_retry("record_failure", NOTE, failure)
    return result
