"""Microsoft.Insights: reading the Activity Log, with the filter that its tools send.

Diagnostic settings, alert rules and action groups are resources like any other (resources.py).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice
from typing import Any

from sandbox.azure import ids, providers
from sandbox.azure.errors import ApiError
from sandbox.azure.lists import decoded, encoded
from sandbox.azure.resources import rendered
from sandbox.azure.router import Call, Reply, Room

Json = dict[str, Any]

PAGE = 200
KEPT = timedelta(days=90)
_VALUES = "/providers/Microsoft.Insights/eventtypes/management/values"
_SETTINGS = "Microsoft.Insights/diagnosticSettings"
_ACTION = "Microsoft.Insights/eventtypes/values/read"
# The reference knows a start, an end and one more property, in this order and in quotes. Azure takes more, and its own
# tools use it: several properties, in any order, without quotes, and caller and status among them.
_TIMES = r"(?P<time>eventTimestamp)\s+(?P<end>ge|le)\s+'?(?P<at>[^'\s]+)'?"
_EQUALS = r"(?P<field>\w+)\s+eq\s+(?:'(?P<quoted>[^']*)'|(?P<bare>[\w.@/-]+))"
_CLAUSE = re.compile(f"{_TIMES}|{_EQUALS}", re.IGNORECASE)
_FIELDS: dict[str, Callable[[Json], str]] = {
    "resourcegroupname": lambda e: e["resourceGroupName"],
    "resourceuri": lambda e: e["resourceId"],
    "resourceid": lambda e: e["resourceId"],
    "resourceprovider": lambda e: e["resourceProviderName"]["value"],
    "correlationid": lambda e: e["correlationId"],
    "caller": lambda e: e["caller"],
    "status": lambda e: e["status"]["value"],
}
_CATEGORIES = ("Administrative", "Security", "ServiceHealth", "Alert", "Recommendation", "Policy", "Autoscale")

room = Room("Microsoft.Insights", {"eventtypes": providers.PROVIDERS["Microsoft.Insights"]["eventtypes"]})


class Refusal(ApiError):  # noqa: N818  an answer
    """Insights writes its errors its own way: {"Code", "Message"}."""

    def body(self) -> Json:
        return {"Code": self.code, "Message": self.message}


@room.on("GET", f"/{{scope}}/providers/{_SETTINGS}", f"{_SETTINGS}/read")
async def list_settings(call: Call) -> Reply:
    """List where a resource's own log goes, or a subscription's; not what lies beneath."""
    at = call.params["scope"].lower()
    found = [s for s in call.world.list(_SETTINGS, at) if ids.parse(s.id).scope.lower() == at]
    return Reply(200, {"value": [rendered(setting) for setting in found]})


@room.on("GET", "/providers/Microsoft.Insights/eventcategories")
async def categories(call: Call) -> Reply:  # noqa: ARG001  every handler takes the call
    """List the categories of events."""
    return Reply(200, {"value": [{"value": name, "localizedValue": name} for name in _CATEGORIES]})


@room.on("GET", "/subscriptions/{subscription}" + _VALUES, _ACTION)
@room.on("GET", _VALUES, _ACTION)
async def values(call: Call) -> Reply:
    """Read events of a subscription, or of the tenant itself; newest first."""
    now = call.clock.now()
    start, end, test = _filter(call.query.get("$filter", ""), now)
    last, _, last_id = decoded(call.query.get("$skiptoken", "")).partition("|")
    if last:
        end = _time(last)
    events = call.world.activity.between(call.params.get("subscription", ""), start, end, now)
    if last:  # among those of the same moment, go on after the last one shown
        events = islice(dropwhile(lambda e: e["eventDataId"] != last_id, events), 1, None)
    shown = list(islice((e for e in events if test(e)), PAGE + 1))
    body: Json = {"value": [_selected(e, call.query.get("$select", "")) for e in shown[:PAGE]]}
    if len(shown) > PAGE:
        last_shown = shown[PAGE - 1]
        mark = encoded(f"{last_shown['eventTimestamp']}|{last_shown['eventDataId']}")
        body["nextLink"] = call.url(query={**call.query, "$skiptoken": mark})
    return Reply(200, body)


def _filter(text: str, now: datetime) -> tuple[datetime, datetime, Callable[[Json], bool]]:
    times, wanted = dict[str, datetime](), list[tuple[Callable[[Json], str], str]]()
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        match = _CLAUSE.fullmatch(part)
        if match and match["time"]:
            times[match["end"].lower()] = _time(match["at"])
        elif match and (read := _FIELDS.get(match["field"].lower())):
            wanted.append((read, (match["quoted"] or match["bare"] or "").lower()))
        else:
            raise _invalid()
    if "ge" not in times:
        raise _invalid()
    start, end = times["ge"], times.get("le", now)
    if start < now - KEPT:
        raise Refusal(400, "BadRequest", f"The start time cannot be more than {KEPT.days} days in the past.")
    if end < start:
        raise Refusal(400, "BadRequest", "The end time cannot be before the start time.")
    return start, end, lambda event: all(read(event).lower() == value for read, value in wanted)


def _invalid() -> Refusal:
    message = (
        "$filter searching parameters invalid: it must hold eventTimestamp ge '{time}', and may go on with and "
        f"eventTimestamp le '{{time}}', and with any of {', '.join(_FIELDS)} eq '{{value}}'."
    )
    return Refusal(400, "BadRequest", message)


def _time(text: str) -> datetime:
    try:
        # Python reads six decimals, Azure writes seven.
        at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError as error:
        raise Refusal(400, "BadRequest", f"'{text}' is not a time.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _selected(event: Json, names: str) -> Json:
    wanted = {name.strip().lower() for name in names.split(",") if name.strip()}
    return {k: v for k, v in event.items() if k.lower() in wanted} if wanted else event
