"""Azure's Python worker around function_app.py: `python -P drive.py`, under Python 3.13 with azure-functions-runtime.

Prints what the worker said of the app, as one line of JSON. Then reads invocations, a line of JSON each, and prints
what came of each: {"failed": "", "result": what went out, "durable": what was asked of Durable Functions meanwhile}.
The host's side is played here: the messages are those of its protocol, as far as the worker looks at them.
"""

import asyncio
import contextlib
import faulthandler
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import azure_functions_runtime as worker  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web

Json = dict[str, Any]
APP = Path(__file__).parents[2]
PATIENCE = 60  # seconds for one invocation; then the process says where it hangs, and ends


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
    return "" if result.status == StatusResult.Success else f"{result.exception.message}\n{result.exception.stack_trace}"


class DurableFunctions:
    """The extension's API for the worker, as far as an instance is started, looked for and woken."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self._instances: dict[str, str] = {}
        self.binding = ""

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes(
            [
                web.post("/durabletask/orchestrators/{name}/{id}", self._start),
                web.get("/durabletask/instances/{id}", self._status),
                web.post("/durabletask/instances/{id}/raiseEvent/{event}", self._wake),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        # What the host puts in for a durable client. The links are for people; the client itself uses rpcBaseUrl.
        management = {"id": "INSTANCEID", "statusQueryGetUri": f"{url}/runtime/webhooks/durabletask/instances/INSTANCEID"}
        binding = {"taskHubName": "Countersign", "creationUrls": {}, "managementUrls": management}
        self.binding = json.dumps({**binding, "baseUrl": url, "rpcBaseUrl": f"{url}/durabletask/"})
        return runner

    def put(self, instances: list[str]) -> None:
        """Have these running."""
        self._instances |= dict.fromkeys(instances, "incident")

    async def _start(self, request: web.Request) -> web.Response:
        name, instance = request.match_info["name"], request.match_info["id"]
        self.asked.append({"start": name, "id": instance, "input": json.loads(await request.json())})
        self._instances[instance] = name
        return web.json_response({"id": instance}, status=202)

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


async def start() -> Json:
    """Have the worker index and load the app. Returns what it said, and the raw bindings of each function."""
    worker.start_threadpool_executor()
    sys.path.insert(0, str(APP))  # as in Azure; its own libraries come after
    ready = await worker.worker_init_request(
        message("worker_init_request", capabilities={}, function_app_directory=str(APP))
    )
    said = await worker.functions_metadata_request(message("functions_metadata_request"))
    functions = said.function_metadata_results or []
    loaded = [
        await worker.function_load_request(message("function_load_request", function_id=function.function_id))
        for function in functions
    ]
    return {
        "python": ready.worker_metadata.runtime_version,
        "version": ready.worker_metadata.worker_version,
        "failed": failure(ready) or failure(said) or "".join(map(failure, loaded)),
        "functions": {f.name: [json.loads(raw) for raw in f.raw_bindings] for f in functions},
        "loaded": [f.name for f, done in zip(functions, loaded, strict=True) if done.function_id == f.function_id],
    }


def data(kind: str, value: Any) -> TypedData:
    """Data of a trigger, the way the host sends it."""
    if kind != "http":
        return TypedData(**{kind: json.dumps(value)})
    body = TypedData(bytes=value["body"].encode()) if value["body"] else TypedData()
    headers = {name.lower(): header for name, header in value["headers"].items()}
    return TypedData(http=Message(**{**value, "headers": headers, "query": {}, "body": body}))


def plain(sent: Any) -> Any:
    """What a function gave back."""
    if sent is None or not vars(sent):
        return None
    if (kind := sent.WhichOneof("data")) == "http":
        http = sent.http
        return {"status": int(http.status_code), "headers": http.headers, "body": json.loads(http.body.bytes)}
    return json.loads(getattr(sent, kind))


async def invoke(call: Json, durable: DurableFunctions) -> Json:
    """Invoke one function: {"function", "parameter", "kind": of its data, "data", "client": its durable client's}."""
    durable.put(call.get("running", []))
    given = [ParameterBinding(name=call["parameter"], data=data(call["kind"], call["data"]))]
    if call["client"]:
        given.append(ParameterBinding(name=call["client"], data=TypedData(string=durable.binding)))
    response = await worker.invocation_request(
        message(
            "invocation_request",
            invocation_id=str(uuid4()),
            function_id=str(uuid5(NAMESPACE_OID, call["function"])),
            input_data=given,
            trigger_metadata={},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
    )
    asked, durable.asked = durable.asked, []
    failed = failure(response)
    return {"failed": failed, "result": None if failed else plain(response.return_value), "durable": asked}


async def main(answers: Any) -> None:
    durable = DurableFunctions()
    runner = await durable.serve()
    try:
        print(json.dumps(await start()), file=answers, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            print(json.dumps(await invoke(json.loads(line), durable)), file=answers, flush=True)
            faulthandler.cancel_dump_traceback_later()
    finally:
        await runner.cleanup()
        worker.stop_threadpool_executor()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as answers, contextlib.redirect_stdout(sys.stderr):
        asyncio.run(main(answers))
