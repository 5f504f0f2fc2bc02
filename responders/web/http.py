"""Between Azure Functions' HTTP and the API."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import azure.functions as func

from responders.approvals import Person
from responders.azure import explained
from responders.errors import Permanent, Refused, Temporary
from responders.model import Json
from responders.pages.frame import policy
from responders.services import Services, services
from responders.web import api, question
from responders.web.sign_in import person

MAX_BODY = 1 << 20
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

T = TypeVar("T")
Handler = Callable[[Person, Services], Awaitable[tuple[int, T]]]


async def respond(request: func.HttpRequest, handler: Handler[Json]) -> func.HttpResponse:
    """Answer a request by `handler`, which gets the verified caller; a refusal becomes a problem document."""
    try:
        status, body = await _handled(request, handler)
    except (Permanent, Temporary) as error:
        status, body = api.problem(error)
    kind = "application/problem+json" if status >= 400 else "application/json"  # noqa: PLR2004
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype=kind, headers=_HEADERS)


async def respond_page(request: func.HttpRequest, handler: Handler[bytes]) -> func.HttpResponse:
    """The same for a browser: `handler` makes a page, and so does a refusal."""
    try:
        status, page = await _handled(request, handler)
    except (Permanent, Temporary) as error:
        status, said = api.problem(error)
        page = question.message(said["title"], said["detail"])
    headers = _HEADERS | {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
    headers["Content-Security-Policy"] = f"{policy(form=True)}; frame-ancestors 'none'"
    return func.HttpResponse(page, status_code=status, mimetype="text/html", charset="utf-8", headers=headers)


async def _handled(request: func.HttpRequest, handler: Handler[T]) -> tuple[int, T]:
    who = person(request.headers)
    if len(request.get_body()) > MAX_BODY:
        raise Permanent(f"The body is larger than {MAX_BODY} bytes. Nothing was done. Send one alert at a time.")
    # A browser brings its sign-in along whatever page has it send something.
    if request.method == "POST" and request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Refused("This was sent by a page of another site. Nothing was done.", 403)
    with explained(f"{request.method} {request.url.partition('?')[0]}"):
        return await handler(who, services())
