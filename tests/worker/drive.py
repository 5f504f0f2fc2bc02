"""Azure's Python worker with function_app.py in it: `python -I drive.py`, in what installing.py has installed.

Prints as a line of JSON what the worker said of the app. Then reads invocations, a line of JSON each: {"function",
"data" for its trigger, "running": ids of instances that are there, "down": whether Durable Functions is out of order},
and prints what came of each: {"failed": the error or "", "result", "durable": what Durable Functions was asked for}.

The host's side is played here, with its messages as far as the worker looks at them, and without protobuf.
"""

import asyncio
import contextlib
import faulthandler
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO
from uuid import uuid4

import azure_functions_runtime as worker  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web

Json = dict[str, Any]
APP = Path(__file__).parents[2]
PATIENCE = 60  # seconds for an invocation; then the process says where it hangs, and ends
NOT_LOADED: Json = {"failed": "There is no such function, or it was not loaded.", "result": None, "durable": []}
# Kind of data by trigger, where it is not a string.
KINDS = {"httpTrigger": "http", "eventGridTrigger": "json", "timerTrigger": "json"}


class Message(SimpleNamespace):
    """A message of the protocol: fields by keyword."""


class TypedData(Message):
    """Data of one kind, which is the name of the only field."""

    def WhichOneof(self, group: str) -> str | None:  # noqa: ARG002, N802  protobuf's
        return next(iter(vars(self)), None)


class ParameterBinding(Message):
    """The data of one parameter."""

    def WhichOneof(self, group: str) -> str:  # noqa: ARG002, N802  protobuf's
        return "data"


class StatusResult(Message):
    Failure, Success = 0, 1


class BindingInfo(Message):
    undefined, out, inout = 0, 1, 2  # of data type the first, of direction the others


NAMES = (
    "FunctionLoadResponse",
    "FunctionMetadataResponse",
    "InvocationResponse",
    "RpcException",
    "RpcFunctionMetadata",
    "RpcHttp",
    "WorkerInitResponse",
    "WorkerMetadata",
)
PROTOS = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    **dict.fromkeys(NAMES, Message),
)


def message(kind: str, **fields: Any) -> Message:
    """A message from the host to the worker."""
    properties = {"host": "127.0.0.1", "protos": PROTOS}
    return Message(request=Message(**{kind: Message(**fields)}), properties=properties)


def failure(response: Any) -> str:
    """What went wrong, "" when nothing did."""
    result = response.result
    return (
        "" if result.status == StatusResult.Success else f"{result.exception.message}\n{result.exception.stack_trace}"
    )


class DurableFunctions:
    """The extension's API for the worker, as far as an instance is started, looked for and woken."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.down = False
        self.binding = ""  # what a durable client is bound to
        self._instances: dict[str, str] = {}  # names of the orchestrators

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes(
            [
                web.post("/durabletask/orchestrators/{name}/{id}", self._start),
                web.get("/durabletask/instances/", self._none),
                web.get("/durabletask/instances/{id}", self._status),
                web.post("/durabletask/instances/{id}/raiseEvent/{event}", self._wake),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        links = {"id": "INSTANCEID", "statusQueryGetUri": f"{url}/runtime/webhooks/durabletask/instances/INSTANCEID"}
        binding = {"taskHubName": "Countersign", "creationUrls": {}, "managementUrls": links}
        self.binding = json.dumps({**binding, "baseUrl": url, "rpcBaseUrl": f"{url}/durabletask/"})
        return runner

    def expect(self, call: Json) -> None:
        """Be as an invocation wants it."""
        self.asked, self.down = [], call.get("down", False)
        self._instances |= dict.fromkeys(call.get("running", ()), "incident")

    async def _start(self, request: web.Request) -> web.Response:
        if self.down:
            return web.json_response({"ExceptionMessage": "The task hub can't be reached."}, status=500)
        name, instance = request.match_info["name"], request.match_info["id"]
        self.asked.append({"start": name, "id": instance, "input": json.loads(await request.json())})
        self._instances[instance] = name
        return web.json_response({"id": instance}, status=202)

    async def _none(self, request: web.Request) -> web.Response:  # noqa: ARG002  a handler
        """Answer that no instance has ended."""
        return web.json_response([])

    async def _status(self, request: web.Request) -> web.Response:
        instance = request.match_info["id"]
        if instance not in self._instances:
            return web.Response(status=404)
        status = {"name": self._instances[instance], "instanceId": instance, "runtimeStatus": "Running"}
        times = dict.fromkeys(("createdTime", "lastUpdatedTime"), "2026-03-04T10:41:30Z")
        return web.json_response({**status, **times, "input": None, "output": None}, status=202)

    async def _wake(self, request: web.Request) -> web.Response:
        self.asked.append({"event": request.match_info["event"], "id": request.match_info["id"]})
        return web.Response(status=202)


@dataclass(frozen=True)
class Function:
    """A function as the worker's metadata tell of it."""

    name: str
    id: str
    bindings: list[Json]

    def given(self, data: Any, client: str) -> list[ParameterBinding]:
        """Its parameters, as the host fills them from a trigger's data."""
        parameters = []
        for binding in self.bindings:
            if binding["type"] == "durableClient":
                parameters.append(ParameterBinding(name=binding["name"], data=TypedData(string=client)))
            elif binding["direction"] == "IN":
                kind = KINDS.get(binding["type"], "string")
                value = request(binding["route"], data) if kind == "http" else json.dumps(data)
                parameters.append(ParameterBinding(name=binding["name"], data=TypedData(**{kind: value})))
        return parameters


def request(route: str, data: Json) -> Message:
    """An HTTP request from {"method", "params" of the route, "headers", "body"}."""
    # The host sends the names of headers in lower case.
    headers = {name.lower(): value for name, value in data["headers"].items()}
    body = TypedData(bytes=data["body"].encode()) if data["body"] else TypedData()
    url = f"https://countersign.example/api/{route.format(**data['params'])}"
    return Message(method=data["method"], url=url, headers=headers, params=data["params"], query={}, body=body)


def plain(sent: Any) -> Any:
    """What a function gave back."""
    if sent is None:
        return None
    if (kind := sent.WhichOneof("data")) == "http":
        http = sent.http
        text = http.body.bytes.decode()
        body = json.loads(text) if text.startswith(("{", "[")) else text
        return {"status": int(http.status_code), "headers": http.headers, "body": body}
    return json.loads(getattr(sent, kind))


async def start() -> tuple[Json, dict[str, Function]]:
    """Have the worker index and load the app. Returns what it said, and the functions that are loaded."""
    worker.start_threadpool_executor()
    sys.path.insert(0, str(APP))  # as in Azure
    ready = await worker.worker_init_request(
        message("worker_init_request", capabilities={}, function_app_directory=str(APP))
    )
    told = await worker.functions_metadata_request(message("functions_metadata_request"))
    found = [
        Function(one.name, one.function_id, [json.loads(binding) for binding in one.raw_bindings])
        for one in told.function_metadata_results or ()
    ]
    loads = [await worker.function_load_request(message("function_load_request", function_id=one.id)) for one in found]
    said = {
        "python": ready.worker_metadata.runtime_version,
        "failed": next(filter(None, map(failure, (ready, told, *loads))), ""),
        "functions": {one.name: one.bindings for one in found},
    }
    return said, {one.name: one for one, load in zip(found, loads, strict=True) if not failure(load)}


async def invoke(function: Function, call: Json, durable: DurableFunctions) -> Json:
    """Invoke a function. Returns what came of it."""
    durable.expect(call)
    response = await worker.invocation_request(
        message(
            "invocation_request",
            invocation_id=str(uuid4()),
            function_id=function.id,
            input_data=function.given(call["data"], durable.binding),
            trigger_metadata={},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
    )
    failed = failure(response)
    return {"failed": failed, "result": None if failed else plain(response.return_value), "durable": durable.asked}


async def main(answers: TextIO) -> None:
    """Answer until there is nothing more to read."""

    def say(what: Json) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    durable = DurableFunctions()
    runner = await durable.serve()
    try:
        said, functions = await start()
        say(said)
        while line := await asyncio.to_thread(sys.stdin.readline):
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            call = json.loads(line)
            function = functions.get(call["function"])
            say(await invoke(function, call, durable) if function else NOT_LOADED)
            faulthandler.cancel_dump_traceback_later()
    finally:
        await runner.cleanup()
        worker.stop_threadpool_executor()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as answers, contextlib.redirect_stdout(sys.stderr):
        asyncio.run(main(answers))
