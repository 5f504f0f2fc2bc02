"""Every function of the app, loaded and invoked by the code that does it in Azure."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from playbooks.activities import ACTIVITIES
from playbooks.run import RETRY
from responders.incident import incident_id
from sandbox.functions.events import Kind, event
from tests.responders.alerts.fixtures import NAME, SUBSCRIPTION, alert, document, rest
from tests.worker.process import Json, Person, Worker

ROUTES = {
    "alerts": ("POST", "alerts"),
    "incidents": ("GET", "incidents"),
    "incident_by_id": ("GET", "incidents/{id}"),
    "answer": ("POST", "incidents/{id}/answer"),
    "question_page": ("GET", "incidents/{id}/question"),
    "answer_by_page": ("POST", "incidents/{id}/question"),
    "approvals": ("POST", "incidents/{id}/approvals"),
    "rerun": ("POST", "incidents/{id}/rerun"),
    "undo_by_id": ("POST", "incidents/{id}/undo"),
}
STARTING = {
    "on_event",
    "alerts",
    "answer",
    "answer_by_page",
    "approvals",
    "rerun",
    "undo_by_id",
    "purge_runs",
}  # need Durable's client
PAGES = {"question_page", "answer_by_page"}
ORCHESTRATORS = ("incident", "playbook", "undo")
TIMERS = ("beat", "purge_runs")
NAMES = tuple(activity.__name__ for activity in ACTIVITIES)
AT = "2026-03-04T10:41:30.0000000Z"
NOBODYS = "0123456789abcdef0123"  # the id of no incident


# The app


def test_the_worker_loads_the_app(worker: Worker) -> None:
    assert worker.said["failed"] == ""
    assert worker.said["python"] == "3.13"


def test_the_worker_finds_every_function_with_its_trigger(worker: Worker) -> None:
    found = {
        name: next(b["type"] for b in bindings if b["type"].endswith("Trigger"))
        for name, bindings in worker.said["functions"].items()
    }
    assert found == {
        "on_event": "eventGridTrigger",
        **dict.fromkeys(ROUTES, "httpTrigger"),
        **dict.fromkeys(TIMERS, "timerTrigger"),
        **dict.fromkeys(ORCHESTRATORS, "orchestrationTrigger"),
        **dict.fromkeys(NAMES, "activityTrigger"),
    }


def test_every_route_is_served_without_a_key_by_its_one_method(worker: Worker) -> None:
    found = [b for bindings in worker.said["functions"].values() for b in bindings if b["type"] == "httpTrigger"]
    assert {(b["methods"][0], b["route"]) for b in found} == set(ROUTES.values())
    assert {(len(b["methods"]), b["authLevel"]) for b in found} == {(1, "ANONYMOUS")}


def test_what_starts_wakes_or_forgets_a_run_has_a_durable_client_and_nothing_else_has(worker: Worker) -> None:
    bindings = worker.said["functions"].items()
    assert {name for name, listed in bindings if any(b["type"] == "durableClient" for b in listed)} == STARTING


@pytest.mark.parametrize("timer", TIMERS)
def test_a_timer_fires(worker: Worker, timer: str) -> None:
    came = worker.invoke(timer, {"IsPastDue": False, "ScheduleStatus": {}, "Schedule": {}})

    assert (came.failed, came.durable) == ("", [])


# Events


def test_an_event_starts_an_incident_once(worker: Worker) -> None:
    body, id_ = event_of(grid())
    first, again = worker.invoke("on_event", body), worker.invoke("on_event", body)
    assert (first.failed, again.failed) == ("", "")
    assert first.durable == [{"start": "incident", "id": id_, "input": {"incident": id_, "by": ""}}]
    assert again.durable == []


def test_a_cloud_event_starts_an_incident_too(worker: Worker) -> None:
    body, id_ = event_of(document("cloud-event"))
    came = worker.invoke("on_event", body)
    assert came.failed == ""
    assert [asked["id"] for asked in came.durable] == [id_]


ELSEWHERE = json.loads(json.dumps(rest()).replace(SUBSCRIPTION, "1f0d5a6e-9c3b-4e27-8a41-7b2c6d9e0f35"))


@pytest.mark.parametrize(
    "data",
    [None, "garbage", 7, {}, {"a": {"b": []}}, "[" * 200, ELSEWHERE],
    ids=["null", "text", "number", "empty", "unknown", "nested", "elsewhere"],
)
def test_a_poisonous_event_is_kept_and_not_delivered_again(worker: Worker, data: object) -> None:
    came = worker.invoke("on_event", {**grid(), "data": data})
    assert (came.failed, came.durable) == ("", [])
    kept = [json.loads(file.read_text()) for file in (worker.evidence / "refused").iterdir()]
    assert repr(data) in [refused["received"] for refused in kept]


def test_an_event_is_delivered_again_when_its_incident_did_not_start(worker: Worker) -> None:
    body, id_ = event_of(grid())
    first = worker.invoke("on_event", body, down=True)
    assert first.failed.startswith(f"Temporary: Durable Functions did not start {id_}: ")
    assert [asked["id"] for asked in worker.invoke("on_event", body).durable] == [id_]


# HTTP


@pytest.mark.parametrize("function", ROUTES)
def test_nobody_is_served_without_signing_in(worker: Worker, function: str) -> None:
    came = worker.request(function, id_=NOBODYS, body={})
    assert (came.result["status"], came.durable) == (401, [])
    if function in PAGES:
        assert came.result["headers"]["content-type"].startswith("text/html")
        assert "You are not signed in." in came.result["body"]
    else:
        assert came.result["headers"]["content-type"] == "application/problem+json"
        assert came.result["body"]["detail"] == "You are not signed in."


@pytest.mark.parametrize("function", sorted(PAGES))
def test_a_page_without_a_link_of_ours_does_nothing(worker: Worker, function: str) -> None:
    came = worker.request(function, approver(), id_=NOBODYS, body="token=x")
    assert (came.result["status"], came.durable) == (403, [])
    assert "This link is not one that Countersign made" in came.result["body"]
    headers = {name.lower(): value for name, value in came.result["headers"].items()}
    assert headers["content-security-policy"].endswith("frame-ancestors 'none'")


@pytest.mark.parametrize(
    "function", sorted(n for n, (_, route) in ROUTES.items() if "{id}" in route and n not in PAGES)
)
def test_an_unknown_incident_is_not_found(worker: Worker, function: str) -> None:
    came = worker.request(function, approver(), id_=NOBODYS, body={})
    assert (came.result["status"], came.durable) == (404, [])
    assert NOBODYS in came.result["body"]["detail"]


def test_an_alert_by_http_starts_an_incident_that_can_be_read(worker: Worker) -> None:
    body, id_ = event_of(grid())
    sender, reader = Person(str(uuid4()), ("Sender",)), Person(str(uuid4()), ("Reader",))
    came = worker.request("alerts", sender, body=body["data"])
    assert came.result["status"] == 202
    assert came.result["body"] == {"incidents": [{"incident": id_, "status": "started"}]}
    assert [asked["id"] for asked in came.durable] == [id_]
    listed = worker.request("incidents", reader).result["body"]["incidents"]
    assert "examining" in [one["status"] for one in listed if one["incident"] == id_]
    shown = worker.request("incident_by_id", reader, id_=id_).result
    assert (shown["status"], shown["body"]["incident"]) == (200, id_)


@pytest.mark.parametrize("function", ["alerts", "incidents"])
def test_a_caller_without_an_app_role_is_turned_away(worker: Worker, function: str) -> None:
    came = worker.request(function, Person(str(uuid4())), body=rest())
    assert (came.result["status"], came.durable) == (403, [])


# Orchestrators


def test_an_incident_is_examined_first_with_retry(worker: Worker) -> None:
    state = worker.invoke("incident", turn({"incident": NOBODYS, "by": ""})).result
    (action,) = calls(state)
    given = {"incident": NOBODYS, "by": "", "run": "run-1", "at": "2026-03-04T10:41:30+00:00"}
    assert (action["actionType"], action["functionName"]) == (1, "examine")
    assert json.loads(action["input"]) == given
    assert action["retryOptions"]["maxNumberOfAttempts"] == RETRY.max_number_of_attempts > 1
    assert not state["isDone"]


def test_an_incident_goes_on_to_ask_the_owner(worker: Worker) -> None:
    state = worker.invoke("incident", turn({"incident": NOBODYS, "by": ""}, examine={"result": ""})).result
    assert called(state) == ["examine", "ask"]
    assert not state["isDone"]


def test_an_incident_that_is_a_drill_is_closed_without_asking(worker: Worker) -> None:
    done = {"examine": {"result": "sample"}, "close": {"report": "r"}}
    state = worker.invoke("incident", turn({"incident": NOBODYS, "by": ""}, **done)).result
    assert called(state) == ["examine", "close"]
    assert (state["isDone"], state["output"]) == (True, {"result": "sample"})


def test_a_playbook_plans_its_steps_one_after_the_other(worker: Worker) -> None:
    steps = [{"action": "users.disable"}, {"action": "users.revoke_sessions"}]
    given = {"incident": NOBODYS, "by": "", "case": "c", "subject": {"id": "s"}, "steps": steps}
    nothing = {"changes": 0, "plan": "p", "gate": "one", "expires": AT}
    state = worker.invoke("playbook", turn(given, plan=nothing)).result
    first, second = (json.loads(action["input"]) for action in calls(state))
    assert (first["step"], first["action"]) == ("run-1-0-0", "users.disable")
    assert (second["step"], second["action"]) == ("run-1-1-0", "users.revoke_sessions")


def test_an_undo_with_nothing_to_undo_closes(worker: Worker) -> None:
    done = {"plan_undo": {"changes": 0, "gate": "one", "expires": AT}, "close_undo": {"report": "r"}}
    state = worker.invoke("undo", turn({"incident": NOBODYS, "by": "", "reason": ""}, **done)).result
    assert called(state) == ["plan_undo", "close_undo"]
    assert (state["isDone"], state["output"]) == (True, {"result": "nothing_to_do"})


# Activities


@pytest.mark.parametrize("activity", sorted({*NAMES} - {"record_failure", "close", "close_undo"}))
def test_an_activity_whose_evidence_is_missing_says_so_and_is_not_repeated(worker: Worker, activity: str) -> None:
    came = worker.invoke(activity, order())
    assert came.failed == ""
    assert came.result["failed"].startswith(("There is no incident", "Incident "))


@pytest.mark.parametrize("activity", ["close", "close_undo"])
def test_a_run_that_came_to_nothing_is_closed_with_a_report(worker: Worker, activity: str) -> None:
    given = order()
    came = worker.invoke(activity, given)
    assert came.failed == ""
    assert (worker.evidence / came.result["report"]).read_text().startswith("<!DOCTYPE html>")


def test_a_failure_is_journalled(worker: Worker) -> None:
    given = order()
    came = worker.invoke("record_failure", given)
    assert (came.failed, came.result) == ("", {})
    seen = worker.request("incident_by_id", approver(), id_=given["incident"]).result
    assert seen["status"] == 404  # a failure alone makes no incident
    (entry,) = (worker.evidence / "incidents" / given["incident"] / "journal").iterdir()
    assert json.loads(entry.read_text())["kind"] == "failed"


def test_an_activity_that_cannot_sign_in_is_repeated_and_says_why(worker: Worker) -> None:
    body, id_ = event_of(document("cloud-event"))
    worker.invoke("on_event", body)
    came = worker.invoke("examine", order(incident=id_, run=id_))
    assert came.failed.startswith("Temporary: examine: ")
    assert "DefaultAzureCredential failed to retrieve a token" in came.failed.splitlines()[0]


def grid() -> Json:
    body: Json = document("event-grid")[0]
    return body


def event_of(body: Json) -> tuple[Json, str]:
    """The same event with an alert of its own, and the id of its incident."""
    name = f"{NAME.partition('_')[0]}_{uuid4()}"
    changed: Json = json.loads(json.dumps(body).replace(NAME, name))
    return changed, incident_id(alert(changed))


def approver() -> Person:
    return Person(str(uuid4()), ("Approver",))


def order(**other: str) -> Json:
    """What any of the activities may be told, of an incident that nobody knows."""
    id_ = uuid4().hex[:20]
    incident = {"incident": id_, "run": id_, "by": "", "at": AT, "result": "unfinished", "reason": "", "wave": 0}
    step = {"case": id_, "subject": {"kind": "user", "id": "u", "reason": "r"}, "step": f"{id_}-0-0", "start": 0}
    return {
        **incident,
        **step,
        "stop": 20,
        "action": "users.disable",
        "activity": "plan",
        "text": "t",
    } | other


def turn(given: Json, **done: object) -> Json:
    """The data of an orchestration trigger: the activities in `done` came to these results, in this order."""
    history = list(past(given, done))
    times = {"longRunningTimerIntervalDuration": "3.00:00:00", "maximumShortTimerDuration": "6.00:00:00"}
    versions = {"upperSchemaVersion": 1, "upperSchemaVersionNew": 2, "parentInstanceId": None}
    replaying = {"isReplaying": bool(done), "defaultHttpAsyncRequestSleepTimeMillseconds": 30000}
    return {"history": history, "input": json.dumps(given), "instanceId": "run-1", **times, **versions, **replaying}


def past(given: Json, done: dict[str, object]) -> Iterator[Json]:
    yield event(Kind.ORCHESTRATOR_STARTED, AT)
    yield event(Kind.EXECUTION_STARTED, AT, Name="incident", Input=json.dumps(given), Version="1.0.0")
    for id_, (activity, result) in enumerate(done.items()):
        yield event(Kind.TASK_SCHEDULED, AT, Name=activity, Version="", Input=None) | {"EventId": id_}
        yield event(Kind.ORCHESTRATOR_COMPLETED, AT)
        yield event(Kind.ORCHESTRATOR_STARTED, AT)
        yield event(Kind.TASK_COMPLETED, AT, TaskScheduledId=id_, Result=json.dumps(result))


def calls(state: Json) -> list[Json]:
    """The activities that an orchestrator has called so far. With retry, each is a group of its own."""
    (groups,) = state["actions"]
    return [action for group in groups for action in group["compoundActions"]]


def called(state: Json) -> list[str]:
    return [action["functionName"] for action in calls(state)]
