"""One made-up operation of the Activity Log, its events in each of the four spellings, and what is made of them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from responders.investigation.activity import Activity
from responders.investigation.events import Notes, event
from responders.investigation.join import join

Json = dict[str, Any]

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
TENANT, SUBSCRIPTION = "0b7e9a52-4c1d-4f63-8a90-5d2e7c3b1f40", "6f1d2c3b-4a59-4687-9a1b-2c3d4e5f6071"
OID, APP = "1f2e3d4c-5b6a-4789-8c0d-e1f2a3b4c5d6", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
CORRELATION = "9d8c7b6a-5f4e-4d3c-8b2a-1f0e9d8c7b6a"
RESOURCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop/providers/Microsoft.Authorization/roleAssignments/r1"
OPERATION = "Microsoft.Authorization/roleAssignments/write"
ASKED = {"Properties": {"RoleDefinitionId": "/x/owner", "PrincipalId": OID}, "tags": {"a": "******"}}
MS, SOAP = "http://schemas.microsoft.com/", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
CLAIMS = {
    "aud": "https://management.azure.com/",
    "appid": APP,
    "appidacr": "0",
    "idtyp": "user",
    "ipaddr": "203.0.113.9",
    "uti": "aBcDeFgHiJkLmNoPqRsTuV",
    "wids": "62e90394-69f5-4237-9190-012177145e10,b79fbf4d-3ef9-4689-8143-76b194e85509",
    MS + "identity/claims/objectidentifier": OID.upper(),
    MS + "identity/claims/tenantid": TENANT,
    MS + "claims/authnmethodsreferences": "pwd,mfa",
    SOAP + "upn": "mallory@contoso.example",
}
EVIDENCE = {"role": "Owner", "principalType": "User"}
AUTHORIZATION = {"action": OPERATION, "scope": RESOURCE, "evidence": EVIDENCE}


def pair(value: str) -> Json:
    return {"value": value, "localizedValue": value}


def at(number: int) -> str:
    """The time of the operation's event of that number, to seven decimals."""
    return (AT + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def event_id(number: int) -> str:
    return f"e0000000-0000-4000-8000-{number:012d}"


def rest(status: str = "Started", number: int = 0, **more: Any) -> Json:
    """As the REST API gives it. The request is on the first event, the address on no later one."""
    started = status == "Started"
    properties: Json = {"entity": RESOURCE, "message": OPERATION, "hierarchy": f"{TENANT}/{SUBSCRIPTION}"}
    properties |= {"requestbody": json.dumps(ASKED)} if started else {"statusCode": "Created"}
    properties |= {"responseBody": '{"id":"r1"}'} if status == "Succeeded" else {}
    event: Json = {
        "authorization": AUTHORIZATION,
        "caller": "mallory@contoso.example",
        "category": pair("Administrative"),
        "claims": CLAIMS,
        "correlationId": CORRELATION,
        "eventDataId": event_id(number),
        "eventTimestamp": at(number),
        "id": f"{RESOURCE}/events/{event_id(number)}/ticks/639080000000000000",
        "operationName": {"value": OPERATION, "localizedValue": "Create role assignment"},
        "resourceId": RESOURCE,
        "status": pair(status),
        "subStatus": pair("" if started else "Created"),
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "properties": properties,
    }
    if started:
        event["httpRequest"] = {"clientIpAddress": "198.51.100.7", "method": "PUT"}
    return event | more


STREAM = {"Started": "Start", "Accepted": "Accept", "Succeeded": "Success", "Failed": "Failure"}


def stream(status: str = "Started", number: int = 0, **more: Any) -> Json:
    """As diagnostic settings send it to an event hub: names in capitals, other words."""
    said = rest(status, number)
    event = {
        "time": said["eventTimestamp"],
        "resourceId": RESOURCE.upper(),
        "operationName": OPERATION.upper(),
        "category": "Administrative",
        "resultType": STREAM[status],
        "resultSignature": "Started." if status == "Started" else f"{status}.Created",
        "callerIpAddress": said.get("httpRequest", {}).get("clientIpAddress", ""),
        "correlationId": CORRELATION,
        "identity": {"authorization": AUTHORIZATION, "claims": CLAIMS},
        "level": "Information",
        "properties": said["properties"],
        "tenantId": TENANT,
    }
    return event | more


def row(status: str = "Started", number: int = 0, **more: Any) -> Json:
    """As a row of AzureActivity: the dynamic columns filled, the strings empty."""
    said = rest(status, number)
    event = {
        "TenantId": "77777777-7777-4777-8777-777777777777",
        "TimeGenerated": said["eventTimestamp"],
        "OperationNameValue": OPERATION.upper(),
        "OperationName": "",
        "ActivityStatusValue": STREAM[status],
        "ActivitySubstatusValue": said["subStatus"]["value"],
        "CategoryValue": "Administrative",
        "Caller": said["caller"],
        "CallerIpAddress": said.get("httpRequest", {}).get("clientIpAddress", ""),
        "CorrelationId": CORRELATION,
        "EventDataId": event_id(number),
        "SubscriptionId": SUBSCRIPTION,
        "Hierarchy": f"{TENANT}/{SUBSCRIPTION}",
        "ResourceId": RESOURCE,
        "_ResourceId": RESOURCE.lower(),
        "Authorization": "",
        "Authorization_d": json.dumps(AUTHORIZATION),
        "Claims": "",
        "Claims_d": json.dumps(CLAIMS),
        "Properties": "",
        "Properties_d": json.dumps(said["properties"]),
    }
    return event | more


def sdk(status: str = "Started", number: int = 0) -> Json:
    """As the Python SDK's `as_dict()` gives it."""
    names = {"localizedValue": "localized_value"}
    said = rest(status, number)
    made = {_snake(name): value for name, value in said.items()}
    for name, value in made.items():
        if isinstance(value, dict) and "localizedValue" in value:
            made[name] = {names.get(k, k): v for k, v in value.items()}
    if "http_request" in made:
        made["http_request"] = {_snake(name): value for name, value in made["http_request"].items()}
    return made


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def joined(raw: Iterable[Json], notes: Notes | None = None) -> list[Activity]:
    return list(join([event(one) for one in raw], notes or Notes()))


def one(*raw: Json) -> Activity:
    (activity,) = joined(raw)
    return activity
