"""The webhook to which Event Grid delivers: handshakes, and one invocation for each event."""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

from sandbox.functions.app import EVENT_GRID, App, Function, Worker

log = logging.getLogger(__name__)


class Webhook:
    """/runtime/webhooks/eventgrid?functionName=NAME. Whether the caller may call is not its business."""

    def __init__(self, app: App, worker: Worker) -> None:
        self._functions, self._worker = app.of_kind(EVENT_GRID), worker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer 202 when every event was taken, 500 when a function failed: Event Grid then sends all again."""
        name = request.query.get("functionName", "")
        if not (function := self._functions.get(name)):
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _allow(request)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "OPTIONS, POST"})
        return await self._take(request, function)

    async def _take(self, request: web.Request, function: Function) -> web.Response:
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        try:
            events = _events(json.loads(await request.read()))
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        if kind == "subscriptionvalidation":
            return _validate(events)
        if kind != "notification" and not request.content_type.startswith("application/cloudevents"):
            return web.Response(status=400, text="The header aeg-event-type says neither Notification nor a handshake.")
        failed = await asyncio.gather(*(self._deliver(function, event) for event in events))
        return web.Response(status=500 if any(failed) else 202)

    async def _deliver(self, function: Function, event: Any) -> bool:
        """Invoke the function with one event. Returns whether it failed.

        The SDK makes an EventGridEvent or a CloudEvent of it, by the schema it has.
        """
        try:
            await self._worker.run(function, function.decode(json.dumps(event), "json"))
        except Exception:
            log.exception("Function %s failed.", function.name)
            return True
        return False


def _events(body: Any) -> list[dict[str, Any]]:
    """Take a body apart: an array of events, or one CloudEvent. Raises ValueError when it holds anything else."""
    events = body if isinstance(body, list) else [body]
    for event in events:
        if not isinstance(event, dict) or not event.get("id"):
            raise ValueError("The body is not an event, nor an array of events: there is something without an id.")
        if "specversion" not in event and not ("eventType" in event and "data" in event):
            raise ValueError(f"Event {event['id']!r} follows neither the Event Grid nor the CloudEvents schema.")
    return events


def _validate(events: list[dict[str, Any]]) -> web.Response:
    """Prove that this is the subscriber, in the way of the Event Grid schema."""
    data = events[0].get("data") if events else None
    code = data.get("validationCode") if isinstance(data, dict) else None
    return web.json_response({"validationResponse": code}) if code else web.Response(status=400)


def _allow(request: web.Request) -> web.Response:
    """Prove it in the way of CloudEvents."""
    origin = request.headers.get("WebHook-Request-Origin")
    if not origin:
        return web.Response(status=400)
    return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})
