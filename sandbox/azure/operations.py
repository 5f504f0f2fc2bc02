"""Long-running operations: 202 now, the effect later.

A room names its effect once, and starts it with `accept`:

    @operations.effect("compute.deallocate")
    def _deallocated(world: World, clock: Clock, args: Json) -> Json | None: ...      # the result's body, or None

    return operations.accept(call, "compute.deallocate", {"id": vm.id}, location=vm.body["location"])

How long it takes is `world.pace`: by the clock, by polls, or (default) until the next request of anybody. They are
plain JSON in `world.operations`, so they outlive a restart. An effect that raises ApiError makes the operation fail.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.azure import activity_log, changes, ids
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.router import Reply

if TYPE_CHECKING:
    from sandbox.azure.clock import Clock
    from sandbox.azure.router import Call
    from sandbox.azure.world import World

Json = dict[str, Any]
Effect = Callable[["World", "Clock", Json], Json | None]

EFFECTS: dict[str, Effect] = {}


def effect(name: str) -> Callable[[Effect], Effect]:
    """Register what an operation does when it ends."""

    def register(function: Effect) -> Effect:
        EFFECTS[name] = function
        return function

    return register


def accept(
    call: "Call",
    name: str,
    args: Json,
    *,
    location: str = "",
    at: str = "",
    status: int = 202,
    body: Json | None = None,
) -> Reply:
    """Start the operation `name` and answer the way Azure does.

    With `location` (a region) as Compute: Azure-AsyncOperation and Location under the provider's locations/….
    With `at` (a path) Location alone, at that path plus the operation's id: "…/runbooks/x/operationResults".
    """
    world, pace = call.world, call.world.pace
    id_ = world.new_id("operation", name)
    now = call.clock.now()
    parts = ids.parse(call.path)
    home = at or f"/subscriptions/{parts.subscription}/providers/{parts.namespace}/locations/{location}/operations"
    world.operations[id_] = {
        "id": id_,
        "effect": name,
        "args": args,
        "status": "InProgress",
        "started": stamp(now),
        "due": stamp(now + timedelta(seconds=pace.seconds)),
        "polls": pace.polls,
        "retry_after": pace.retry_after,
        "path": f"{home}/{id_}",
        "writes": call.path if call.method in {"PUT", "PATCH"} else "",
    }
    version = {"api-version": call.version}
    monitor = version if at else {**version, "monitor": "true"}
    headers = {"Location": call.url(f"{home}/{id_}", monitor)}
    if not at:
        headers["Azure-AsyncOperation"] = call.url(f"{home}/{id_}", version)
        headers["azure-asyncnotification"] = "Enabled"
    return Reply(status, body, headers | _wait(pace.retry_after), operation=id_)


def settle(world: "World", clock: "Clock") -> None:
    """End every operation whose time has come."""
    now = stamp(clock.now())
    for operation in list(world.operations.values()):
        if operation["status"] == "InProgress" and operation["polls"] <= 0 and operation["due"] <= now:
            _finish(world, clock, operation)


def find(call: "Call") -> Json | None:
    """The operation that a path polls, if it is one."""
    operation = call.world.operations.get(call.path.rpartition("/")[2].lower())
    return operation if operation and operation["path"].lower() == call.path.lower() else None


def action(home: str) -> str:
    """The right that polling takes: "Microsoft.Compute/locations/operations/read", where operations lie at `home`."""
    if "/providers/" not in home.lower():
        return "Microsoft.Resources/subscriptions/operationresults/read"
    return f"{ids.parse(home).type}/read"


def written(call: "Call", operation: Json) -> str:
    """The id of what an operation wrote, when its last answer shows that: Location's, of a PUT or PATCH."""
    done = (
        operation["status"] == "Succeeded"
        and "result" not in operation
        and ("monitor" in call.query or "/operations/" not in operation["path"])
    )
    return str(operation.get("writes", "")) if done else ""


def poll(call: "Call", operation: Json) -> Reply:
    """Answer for the state of an operation."""
    running = operation["status"] == "InProgress"
    if running:
        operation["polls"] -= 1
    wait = _wait(operation["retry_after"]) if running else {}
    asynchronous = "/operations/" in operation["path"] and "monitor" not in call.query
    if asynchronous:
        body = {"startTime": operation["started"], "status": operation["status"], "name": operation["id"]}
        body |= {k: operation[k] for k in ("endTime", "error") if k in operation}
        if "result" in operation:
            body["properties"] = {"output": operation["result"]}
        return Reply(200, body, wait)
    if running:
        return Reply(202, None, {"Location": call.url(call.path, call.query), **wait})
    if operation["status"] == "Failed":
        return Reply(operation["http"], {"error": operation["error"]})
    return Reply(200, operation.get("result"))


def _finish(world: "World", clock: "Clock", operation: Json) -> None:
    try:
        with changes.written(world, operation.get("event") or {}, clock.now()):
            result = EFFECTS[operation["effect"]](world, clock, operation["args"])
    except ApiError as error:
        operation |= {"status": "Failed", **error.body(), "http": error.status}
    else:
        operation |= {"status": "Succeeded"} | ({} if result is None else {"result": result})
    now = clock.now()
    operation["endTime"] = stamp(now)
    if event := operation.pop("event", None):
        properties = {"statusMessage": str(operation["error"])} if "error" in operation else None
        activity_log.add(world.activity, event, operation["status"], now, world.new_id("event"), properties)


def _wait(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}
