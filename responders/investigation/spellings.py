"""The four spellings of an event of the Activity Log, put into the words of one: REST's (Insights 2015-04-01).

The others are the stream (event hub, storage account), the rows of Log Analytics' AzureActivity, and the Python SDK's.
"""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec

from responders.model import Json

_object = msgspec.json.Decoder(dict[str, Any])


def in_rest_words(raw: Json) -> Json:
    """An event of any spelling, as REST would have it."""
    if "OperationNameValue" in raw or "TimeGenerated" in raw:
        return _from_row(raw)
    if "operation_name" in raw or "event_timestamp" in raw:
        return _from_sdk(raw)
    if isinstance(raw.get("operationName"), dict) or "eventTimestamp" in raw:
        return raw
    return _from_stream(raw)


def _from_row(row: Json) -> Json:
    """A row of AzureActivity. Its TenantId is the workspace. The dynamic columns may be null, the strings empty."""

    def either(name: str) -> Json:
        return parsed(row.get(name + "_d")) or parsed(row.get(name))

    properties = either("Properties")
    return {
        "eventTimestamp": row.get("TimeGenerated"),
        "operationName": row.get("OperationNameValue") or row.get("OperationName"),
        "status": row.get("ActivityStatusValue") or row.get("ActivityStatus"),
        "subStatus": row.get("ActivitySubstatusValue") or row.get("ActivitySubstatus"),
        "category": row.get("CategoryValue") or row.get("Category"),
        "caller": row.get("Caller"),
        "resourceId": row.get("ResourceId") or row.get("_ResourceId"),
        "subscriptionId": row.get("SubscriptionId"),
        "correlationId": row.get("CorrelationId"),
        "eventDataId": row.get("EventDataId"),
        "claims": either("Claims"),
        "httpRequest": {"clientIpAddress": row.get("CallerIpAddress")}
        if row.get("CallerIpAddress")
        else parsed(row.get("HTTPRequest")),
        "authorization": either("Authorization"),
        "properties": {**properties, "hierarchy": row.get("Hierarchy") or properties.get("hierarchy")},
    }


def _from_stream(raw: Json) -> Json:
    """What diagnostic settings send to an event hub or a storage account."""
    identity = parsed(raw.get("identity"))
    signature = str(raw.get("resultSignature") or "")  # "Failed.Forbidden", or a number
    return {
        **raw,
        "eventTimestamp": raw.get("time"),
        "status": raw.get("resultType") or signature.partition(".")[0],
        "subStatus": _words(signature) if signature.isdecimal() else signature.partition(".")[2],
        "claims": identity.get("claims"),
        "authorization": identity.get("authorization"),
        "httpRequest": {"clientIpAddress": raw.get("callerIpAddress")},
        "eventDataId": raw.get("eventDataId") or parsed(raw.get("properties")).get("eventDataId"),
    }


def _from_sdk(raw: Json) -> Json:
    """What `as_dict()` of the SDK's models gives."""
    rest = {_camel(name): value for name, value in raw.items()}
    request = parsed(rest.get("httpRequest"))
    return {**rest, "httpRequest": {_camel(name): value for name, value in request.items()}}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def parsed(value: object) -> Json:
    """A JSON object that may be written in a string; {} for anything else."""
    if isinstance(value, str) and value:
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            return _object.decode(value)
    return dict(value) if isinstance(value, dict) else {}


def _words(status: str) -> str:
    """A status code as .NET names it: "403" is Forbidden."""
    with suppress(ValueError):
        found = HTTPStatus(int(status))
        return "OK" if found is HTTPStatus.OK else found.name.title().replace("_", "")
    return status
