"""A function app, read the way the Python worker reads it, and its functions, called the way the worker calls them."""

import asyncio
import contextvars
import functools
import importlib.util
import inspect
import json
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import azure.functions as func
from azure.functions import meta
from azure.functions.decorators.core import Trigger
from azure.functions.decorators.function_app import Function as Definition
from azure.functions.decorators.function_app import FunctionRegister

from sandbox.functions.events import Json

log = logging.getLogger(__name__)

HTTP, EVENT_GRID, TIMER = "httpTrigger", "eventGridTrigger", "timerTrigger"
ORCHESTRATOR, ACTIVITY = "orchestrationTrigger", "activityTrigger"
_SERVED = (HTTP, EVENT_GRID, TIMER, ORCHESTRATOR, ACTIVITY)
_CLIENT = "durableClient"


class BadApp(Exception):  # noqa: N818  says what is the matter
    """A function app that can't be run: Azure would not load it either, or this host does not serve what it needs."""


class Invocation(func.Context):
    """What a function gets as `context`."""

    def __init__(self, function: str, directory: str) -> None:
        self._id, self._function, self._directory = str(uuid.uuid4()), function, directory
        self._local = threading.local()

    @property
    def invocation_id(self) -> str:
        return self._id

    @property
    def thread_local_storage(self) -> Any:
        return self._local

    @property
    def function_name(self) -> str:
        return self._function

    @property
    def function_directory(self) -> str:
        return self._directory

    @property
    def trace_context(self) -> Any:
        return None

    @property
    def retry_context(self) -> Any:
        return None


@dataclass(frozen=True)
class Function:
    """One function of the app."""

    name: str
    kind: str  # type of its trigger
    trigger: Trigger
    call: Callable[..., Any]
    clients: tuple[str, ...]  # parameters that take a durable client
    context: bool  # whether it takes the context of the invocation
    directory: str

    def decode(self, data: object, kind: str) -> Any:
        """What the SDK makes of trigger data that came as `kind` ("json", "string" or "http")."""
        return _converter(self.kind).decode(meta.Datum(data, kind), trigger_metadata={})

    def encode(self, result: object) -> Any:
        """What the SDK makes of a result. Raises ValueError or NotImplementedError when it can't be sent."""
        return _converter("http" if self.kind == HTTP else self.kind).encode(result, expected_type=None).value


def _converter(binding: str) -> Any:
    """The SDK's own, to and from what functions take and return."""
    return meta.get_binding_registry().get(binding)  # type: ignore[no-untyped-call]


@dataclass
class Worker:
    """Calls functions."""

    threads: Executor  # for those that are not async
    client: str = ""  # JSON of the durable client binding, once the host knows its address

    async def run(self, function: Function, argument: object) -> Any:
        """Run a function, on the loop or in a thread. Raises what it raises."""
        arguments = {function.trigger.name: argument, **dict.fromkeys(function.clients, self.client)}
        if function.context:
            arguments["context"] = Invocation(function.name, function.directory)
        if inspect.iscoroutinefunction(function.call):
            return await function.call(**arguments)
        call = functools.partial(contextvars.copy_context().run, function.call, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)


@dataclass(frozen=True)
class App:
    """All functions that this host serves, by name, and host.json."""

    functions: Mapping[str, Function]
    settings: Json

    def of_kind(self, kind: str) -> dict[str, Function]:
        return {name: f for name, f in self.functions.items() if f.kind == kind}

    def extension(self, name: str) -> Json:
        """A section below `extensions` in host.json."""
        section: Json = self.settings.get("extensions", {}).get(name, {})
        return section


def load(source: FunctionRegister | Path, host_json: Json | None = None) -> App:
    """Read an app: the folder of its function_app.py and host.json, or the imported `app` itself.

    Raises BadApp, and whatever importing function_app.py raises. Modules beside function_app.py are imported by their
    plain names, as in Azure, so that two apps in one process must not use the same ones.
    """
    directory = ""
    if isinstance(source, Path):
        directory = str(source.resolve())
        file = source / "host.json"
        host_json = host_json or (json.loads(file.read_text("utf-8")) if file.is_file() else {})
        source = _import(source.resolve())
    source.functions_bindings = {}  # else the SDK takes a second reading of an app for duplicate names
    read = (_function(definition, directory) for definition in source.get_functions())
    return App({f.name: f for f in read if f}, host_json or {})


def _import(directory: Path) -> FunctionRegister:
    file = directory / "function_app.py"
    spec = importlib.util.spec_from_file_location("function_app", file)
    if not file.is_file() or not spec or not spec.loader:
        raise BadApp(f"There is no function_app.py in {directory}.")
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module = importlib.util.module_from_spec(spec)
    sys.modules["function_app"] = module
    spec.loader.exec_module(module)
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if len(apps) != 1:
        raise BadApp(f"{file} holds {len(apps)} function apps at its top level. There must be one.")
    return apps[0]


def _function(definition: Definition, directory: str) -> Function | None:
    name, trigger = definition.get_function_name(), definition.get_trigger()
    if not name or not trigger:
        raise BadApp(f"Function {name!r} has no trigger.")
    if trigger.type not in _SERVED:
        log.warning("Function %s is left out: this host serves no %s.", name, trigger.type)
        return None
    bindings = [b for b in definition.get_bindings() if b is not trigger and b.name != "$return"]
    if others := [b for b in bindings if b.type != _CLIENT]:
        raise BadApp(f"Function {name!r} needs the binding {others[0].type!r}, which this host does not serve.")
    call = definition.get_user_function()
    parameters = set(inspect.signature(call).parameters)
    bound = {trigger.name, *(b.name for b in bindings)}
    context = "context" in parameters - bound
    if bound - parameters:  # both are load errors of the worker
        raise BadApp(f"Function {name!r} is bound to {sorted(bound - parameters)}, but takes {sorted(parameters)}.")
    if extra := parameters - bound - {"context"}:
        raise BadApp(f"Function {name!r} takes {sorted(extra)}, to which nothing is bound.")
    hints = get_type_hints(call)
    if strange := [hint for bind in bound if not isinstance(hint := hints.get(bind, str), type)]:
        raise BadApp(f"Function {name!r} is not loaded by the worker: {strange[0]} is no plain type.")
    return Function(name, str(trigger.type), trigger, call, tuple(b.name for b in bindings), context, directory)
