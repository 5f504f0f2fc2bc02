"""A function app with one of everything that the host serves."""
# mypy: disable-error-code="untyped-decorator, no-any-return"

import json
import os
import threading
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
Steps = Generator[Any, Any, Any]

done: list[str] = []  # what activities did, in this process
seen: list[Any] = []  # what orchestrators saw when they were not replaying
failures: dict[str, int] = {}  # how often an activity still fails, by name


def note(what: str) -> None:
    """Also into a file that outlives the process, if there is one."""
    done.append(what)
    if ledger := os.environ.get("LEDGER"):
        with open(ledger, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(what + "\n")


@app.activity_trigger(input_name="word")
async def shout(word: str) -> str:
    note(word)
    return word.upper()


@app.activity_trigger(input_name="word")
def mumble(word: str) -> str:
    note(word)
    assert threading.current_thread() is not threading.main_thread()
    return word.lower()


@app.activity_trigger(input_name="name")
async def flaky(name: str) -> str:
    note(name)
    if failures.get(name, 0):
        failures[name] -= 1
        raise ValueError(f"{name} is not ready")
    return f"{name} at last"


@app.activity_trigger(input_name="things")
async def same(things: Any, context: func.Context) -> Any:
    assert context.function_name == "same"
    return things


@app.activity_trigger(input_name="name")
@app.durable_client_input(client_name="client")
async def look(name: str, client: df.DurableOrchestrationClient) -> str:
    return (await client.get_status(name)).runtime_status.value


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext) -> Steps:
    words = []
    for word in context.get_input():
        words.append((yield context.call_activity("shout", word)))
        if not context.is_replaying:
            seen.append((word, context.current_utc_datetime))
    return words


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext) -> Steps:
    names = context.get_input()
    return (yield context.task_all([context.call_activity("shout", n) for n in names]))


@app.orchestration_trigger(context_name="context")
def mixed(context: df.DurableOrchestrationContext) -> Steps:
    retry = df.RetryOptions(60_000, 3)
    results = yield context.task_all(
        [
            context.call_activity_with_retry("flaky", retry, "a"),
            context.call_activity("mumble", "LOUD"),
            context.task_any(
                [context.call_activity_with_retry("flaky", retry, "b"), context.call_activity("shout", "x")]
            ),
        ]
    )
    last = yield context.call_activity("shout", "end")
    return [results[0], results[1], results[2].result, last]


@app.orchestration_trigger(context_name="context")
def stubborn(context: df.DurableOrchestrationContext) -> Steps:
    return (yield context.call_activity_with_retry("flaky", df.RetryOptions(60_000, context.get_input()), "a"))


@app.orchestration_trigger(context_name="context")
def family(context: df.DurableOrchestrationContext) -> Steps:
    first = yield context.call_sub_orchestrator("chain", ["one", "two"])
    rest = yield context.task_all([context.call_sub_orchestrator("chain", [w], f"child-{w}") for w in ("a", "b")])
    return [first, *rest, context.parent_instance_id]


@app.orchestration_trigger(context_name="context")
def patient(context: df.DurableOrchestrationContext) -> Steps:
    return (yield context.call_sub_orchestrator_with_retry("stubborn", df.RetryOptions(1000, 2), 1, "the-child"))


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Steps:
    context.set_custom_status({"waiting": "approval"})
    deadline = context.create_timer(context.current_utc_datetime + timedelta(hours=context.get_input() or 1))
    answer = context.wait_for_external_event("approval")
    winner = yield context.task_any([answer, deadline])
    if winner == deadline:
        return "silence is no"
    deadline.cancel()
    context.set_custom_status("answered")
    yield context.call_activity("shout", "thanks")
    return answer.result


@app.orchestration_trigger(context_name="context")
def gates(context: df.DurableOrchestrationContext) -> Steps:
    deadline = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    yield context.task_any([context.wait_for_external_event("one"), deadline])
    deadline.cancel()
    yield context.wait_for_external_event("two")


@app.orchestration_trigger(context_name="context")
def twice(context: df.DurableOrchestrationContext) -> Steps:
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    one = yield context.wait_for_external_event("word")
    two = yield context.wait_for_external_event("word")
    return [one, two]


@app.orchestration_trigger(context_name="context")
def naps(context: df.DurableOrchestrationContext) -> Steps:
    start = context.current_utc_datetime
    yield context.create_timer(start + timedelta(days=context.get_input()))
    return (context.current_utc_datetime - start).total_seconds()


@app.orchestration_trigger(context_name="context")
def forgetful(context: df.DurableOrchestrationContext) -> Steps:
    timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    yield context.task_any([context.call_activity("shout", "x"), timer])
    return "left a timer behind"


@app.orchestration_trigger(context_name="context")
def countdown(context: df.DurableOrchestrationContext) -> Steps:
    left = context.get_input()
    word = yield context.wait_for_external_event("next")
    if left == 0:
        return word
    yield context.call_activity("shout", f"{word} {left}")
    context.continue_as_new(left - 1)
    return None


@app.orchestration_trigger(context_name="context")
def rounds(context: df.DurableOrchestrationContext) -> Steps:
    left = context.get_input()
    yield context.call_activity("shout", f"round {left}")
    if left:
        context.continue_as_new(left - 1)
    return "over"


@app.orchestration_trigger(context_name="context")
def identity(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_activity("shout", "x")
    return [context.instance_id, context.version, context.new_uuid(), context.get_input()]


@app.orchestration_trigger(context_name="context")
def failing(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_activity("shout", "x")
    raise RuntimeError("no way")


@app.orchestration_trigger(context_name="context")
def catching(context: df.DurableOrchestrationContext) -> Steps:
    try:
        yield context.call_activity("flaky", "a")
    except Exception as error:  # noqa: BLE001
        return str(error)


@app.orchestration_trigger(context_name="context")
def fickle(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_activity("shout" if not done else "mumble", "x")


@app.orchestration_trigger(context_name="context")
def wants(context: df.DurableOrchestrationContext) -> Steps:
    what = context.get_input()
    if what == "http":
        yield context.call_http("GET", "https://example.org/x")
    elif what == "entity":
        yield context.call_entity(df.EntityId("counter", "mine"), "add", 1)
    else:
        return (yield context.call_activity(what, "x"))


@app.orchestration_trigger(context_name="context")
def still(context: df.DurableOrchestrationContext) -> str:
    return f"no steps, {context.get_input()}"


@app.route("starts/{name}/{id?}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance = await client.start_new(req.route_params["name"], req.route_params.get("id"), req.get_json())
    return client.create_check_status_response(req, instance)


@app.route("echo/{id:int}", methods=["GET", "PUT"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    body = {
        "method": req.method,
        "url": req.url,
        "id": req.route_params["id"],
        "query": dict(req.params),
        "who": req.headers.get("X-MS-CLIENT-PRINCIPAL-ID"),
        "principal": req.headers.get("X-MS-CLIENT-PRINCIPAL"),
        "token": req.headers.get("X-MS-TOKEN-AAD-ID-TOKEN"),
        "body": req.get_body().decode(),
    }
    headers = {"X-One": "1", "Set-Cookie": "a=b; Path=/; HttpOnly"}
    return func.HttpResponse(json.dumps(body), mimetype="application/json", headers=headers, status_code=203)


@app.route("echo/special")
def special(req: func.HttpRequest) -> str:
    return f"special {req.method}"


@app.route("files/{*path}")
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params.get("path", "none"))


@app.route("files/{name}/size")
async def size(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"size of {req.route_params['name']}")


@app.route("broken")
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError(f"the secret reason {req.method}")


@app.event_grid_trigger(arg_name="event")
@app.durable_client_input(client_name="client")
async def delivered(event: func.EventGridEvent, client: df.DurableOrchestrationClient) -> None:
    if event.get_json().get("fail"):
        raise RuntimeError("no")
    await client.start_new("still", event.id, event.get_json())


@app.event_grid_trigger(arg_name="event")
async def cloudy(event: func.CloudEvent) -> None:
    note(f"{event.id} {event.type} {event.get_json()}")


@app.timer_trigger(arg_name="timer", schedule="0 0 */6 * * *")
async def sweep(timer: func.TimerRequest) -> None:
    note(f"sweep late={timer.past_due}")
