"""Between Azure Functions' HTTP and the API."""

import json
from collections.abc import Awaitable, Callable

import azure.functions as func

from responders.approvals import Person
from responders.azure import explained
from responders.errors import Permanent, Temporary
from responders.model import Json
from responders.services import Services, services
from responders.web import api
from responders.web.sign_in import person

MAX_BODY = 1 << 20


async def respond(
    request: func.HttpRequest, handler: Callable[[Person, Services], Awaitable[tuple[int, Json]]]
) -> func.HttpResponse:
    """Answer a request by `handler`, which gets the verified caller; a refusal becomes a problem document."""
    try:
        who = person(request.headers)
        if len(request.get_body()) > MAX_BODY:
            raise Permanent(f"The body is larger than {MAX_BODY} bytes. Nothing was done. Send one alert at a time.")
        with explained(f"{request.method} {request.url}"):
            status, body = await handler(who, services())
    except (Permanent, Temporary) as error:
        status, body = api.problem(error)
    kind = "application/problem+json" if status >= 400 else "application/json"  # noqa: PLR2004
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype=kind, headers=headers)
