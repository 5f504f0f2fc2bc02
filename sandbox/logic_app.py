"""Runs infra/workflow.json, the Logic App's definition: an alert in, its HTTP requests out.

The part of the workflow definition language that the definition uses: one trigger, actions Http and Terminate, what
runs after what, retries, and expressions of a few functions. Whatever else turns up in it is refused by name, so that
nothing is passed over that Azure would do.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

WORKFLOW = Path(__file__).parents[1] / "infra" / "workflow.json"
_AGAIN = {408, 429, *range(500, 600)}  # what Logic Apps tries again
_TRIGGER = {"type", "inputs"}
_HTTP = {"method", "uri", "headers", "body", "authentication", "retryPolicy"}
_ACTION = {"type", "inputs", "runAfter", "operationOptions", "limit"}
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>\w+)|(?P<mark>\?\[|[\[\](),]))")


class Unknown(Exception):  # noqa: N818
    """The definition has something that is not run here; the message names it."""


@dataclass(frozen=True)
class Request:
    """What an Http action sends. `audience` is whom its managed identity's token is for."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    audience: str
    identity: str


@dataclass(frozen=True)
class Run:
    """What came of a run: its status, the code of its failure, and each action's status, in order."""

    status: str
    code: str
    actions: Mapping[str, str]


Send = Callable[[Request], Awaitable[int]]  # returns the status; raises OSError where nothing answers


def definition(values: Mapping[str, str]) -> Json:
    """The definition with its <placeholders> filled, as modules/workflow.bicep fills them."""
    text = WORKFLOW.read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    if left := re.findall(r"<[a-z-]+>", text):
        raise Unknown(f"Nothing fills {', '.join(left)} of {WORKFLOW.name}.")
    made: Json = json.loads(text)
    return made


async def run(workflow: Json, alert: Json, send: Send, *, now: datetime, name: str = "run") -> Run:
    """Start the workflow with an alert, as workflow automation does, and run it to its end."""
    [trigger] = workflow["triggers"].values()
    if trigger["type"] != "ApiConnectionWebhook" or set(trigger) - _TRIGGER:
        raise Unknown(f"A trigger of {trigger}.")
    said = _Said(alert, now, name)
    done: dict[str, str] = {}
    waiting = dict(workflow["actions"])
    while waiting:
        ready = next((n for n, a in waiting.items() if set(a["runAfter"]) <= set(done)), None)
        if ready is None:
            raise Unknown(f"Actions that wait for each other: {', '.join(waiting)}.")
        action = waiting.pop(ready)
        if strange := set(action) - _ACTION:
            raise Unknown(f"{ready} has {', '.join(sorted(strange))}.")
        if not all(done[before] in wanted for before, wanted in action["runAfter"].items()):
            done[ready] = "Skipped"
        elif action["type"] == "Terminate":
            told = action["inputs"]
            done[ready] = "Succeeded"
            return Run(told["runStatus"], str(told.get("runError", {}).get("code", "")), done)
        elif action["type"] == "Http":
            done[ready] = "Succeeded" if await _sent(said, ready, action["inputs"], send) else "Failed"
        else:
            raise Unknown(f"{ready} is an action of type {action['type']}.")
    return Run("Succeeded" if _ended_well(workflow["actions"], done) else "Failed", "", done)


async def handed(alert: Json, now: datetime) -> Any:
    """What the deployed Logic App sends to the responder of an alert: the body of its request."""
    seen: list[Request] = []

    async def send(request: Request) -> int:
        seen.append(request)
        return 202

    places = ("function-url", "audience", "identity", "topic-url", "topic-audience")
    await run(definition({place: f"https://{place}.example" for place in places}), alert, send, now=now)
    return seen[0].body


def _ended_well(actions: Json, done: Mapping[str, str]) -> bool:
    """Whether all that nothing ran after did well: a failure counts unless an action was there for it, and ran."""
    seen_to = {before for name, one in actions.items() if done[name] != "Skipped" for before in one["runAfter"]}
    return all(status in {"Succeeded", "Skipped"} for name, status in done.items() if name not in seen_to)


async def _sent(said: "_Said", name: str, inputs: Json, send: Send) -> bool:
    signed = inputs["authentication"]
    if strange := set(inputs) - _HTTP:
        raise Unknown(f"{name} has {', '.join(sorted(strange))}.")
    if signed["type"] != "ManagedServiceIdentity" or inputs["retryPolicy"]["type"] != "exponential":
        raise Unknown(f"{name} signs in or tries again in another way.")
    request = Request(
        inputs["method"],
        said.value(inputs["uri"]),
        {key: said.value(text) for key, text in inputs["headers"].items()},
        said.value(inputs["body"]),
        signed["audience"],
        signed["identity"],
    )
    for _ in range(1 + int(inputs["retryPolicy"]["count"])):
        try:
            status = await send(request)
        except OSError:
            continue
        if status not in _AGAIN:
            return status < 400  # noqa: PLR2004
    return False


class _Said:
    """What expressions can ask about."""

    def __init__(self, alert: Json, now: datetime, run: str) -> None:
        self._functions: dict[str, Callable[..., Any]] = {
            "triggerBody": lambda: alert,
            "utcNow": lambda: now.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
            "workflow": lambda: {"run": {"name": run}},
            "coalesce": lambda *values: next((v for v in values if v is not None), None),
        }

    def value(self, template: Any) -> Any:
        """A part of the definition with its expressions worked out."""
        if isinstance(template, dict):
            return {key: self.value(part) for key, part in template.items()}
        if isinstance(template, list):
            return [self.value(part) for part in template]
        if not isinstance(template, str) or "@" not in template:
            return template
        if template.startswith("@") and not template.startswith(("@{", "@@")):
            return self._expression(template[1:])
        return re.sub(r"@\{(.*?)\}", lambda match: str(self._expression(match[1])), template)

    def _expression(self, text: str) -> Any:
        tokens, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise Unknown(f"{text[at:]!r} in the expression {text!r}.")
            tokens.append(match[0].strip())
            at = match.end()
        value, rest = self._term(tokens)
        if rest:
            raise Unknown(f"{' '.join(rest)} at the end of the expression {text!r}.")
        return value

    def _term(self, tokens: list[str]) -> tuple[Any, list[str]]:
        head, *rest = tokens
        if head.startswith("'"):
            return head[1:-1].replace("''", "'"), rest
        if head not in self._functions or rest[:1] != ["("]:
            raise Unknown(f"The function {head}.")
        arguments, rest = [], rest[1:]
        while rest[0] != ")":
            argument, rest = self._term(rest)
            arguments.append(argument)
            rest = rest[1:] if rest[0] == "," else rest
        value, rest = self._functions[head](*arguments), rest[1:]
        while rest and rest[0] in {"[", "?["}:
            key, after = self._term(rest[1:])
            if rest[0] == "[" and (not isinstance(value, dict) or key not in value):
                raise Unknown(f"There is no {key!r}: Logic Apps fails such a run.")
            value = value.get(key) if isinstance(value, dict) else None
            rest = after[1:]
        return value, rest
