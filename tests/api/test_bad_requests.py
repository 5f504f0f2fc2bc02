"""What is asked of an incident and can't be understood, or of one that there isn't: refused, noted, without effect."""

from typing import Any

import pytest

from tests.api.responder import Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

POSTS = {"answer": "owner", "approvals": "alice", "rerun": "alice", "undo": "alice"}  # route: who may
BODIES: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{not json", "malformed"),
    "no UTF-8": (b'{"reason": "\xff\xfe"}', "utf-8"),
    "null": (b"null", "got `null`"),
    "a list": ([], "got `array`"),
    "a list of lists": (b"[" * 500_000 + b"]" * 500_000, "got `array`"),
    "objects in objects": (b'{"reason":' * 50_000 + b"1" + b"}" * 50_000, "got `object`"),
    "a field that nobody knows": ({"by": "0b5d8a51-6c1e-4f0a-8d5e-1f2a3b4c5d05"}, "unknown field `by`"),
    "a reason that is no text": ({"reason": 7}, "`$.reason`"),
    "no field": ({}, "missing required field"),
    "a text for a truth": ({"expected": "false"}, "`$.expected`"),
    "a third decision": ({"gate": "g", "decision": "maybe"}, "'maybe'"),
    "a text for a list": ({"gate": "g", "decision": "approve", "changes": "all"}, "`$.changes`"),
}
GENERAL = (
    "no JSON",
    "no UTF-8",
    "null",
    "a list",
    "a list of lists",
    "objects in objects",
    "a field that nobody knows",
)
WRONG = [
    *(
        (route, body)
        for route in ("answer", "approvals")
        for body in (*GENERAL, "a reason that is no text", "no field")
    ),
    ("answer", "a text for a truth"),
    ("approvals", "a third decision"),
    ("approvals", "a text for a list"),
]
UNKNOWN = (
    "abc",
    "f" * 20,
    "F" * 20,
    "f" * 3000,
    "..%2f..%2findex",
    "%2e%2e",
    "%27%20or%201%20eq%201",
    "a%20%7C%20take%201",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "%00",
)


@pytest.mark.parametrize("id_", UNKNOWN)
async def test_an_incident_that_there_is_not_is_refused_on_every_route(its: Responder, id_: str) -> None:
    async with its.unchanged():
        answers = [await its.ask("POST", f"incidents/{id_}/{route}", {}, by=by) for route, by in POSTS.items()]
        for answer in (await its.ask("GET", f"incidents/{id_}", by="soc"), *answers):
            assert_refused(answer, 404, "incident", "GET /api/incidents lists")
            assert len(answer.body["detail"]) < 200


@pytest.mark.parametrize("path", ["incidents/../alerts", "incidents//answer", "../api/alerts/x", "incidents/a/b/c"])
async def test_a_path_that_nothing_serves_is_not_found(its: Responder, path: str) -> None:
    async with its.unchanged():
        assert (await its.ask("POST", path, {}, by="alice")).status == 404


@pytest.mark.parametrize(("route", "name"), WRONG)
async def test_a_body_that_is_not_understood_is_refused_and_noted(
    its: Responder, asked: str, route: str, name: str
) -> None:
    body, why = BODIES[name]
    async with its.unchanged():
        answer = await its.ask("POST", f"incidents/{asked}/{route}", body, by=POSTS[route])
        assert_refused(answer, 400, "The body was not understood", why, "Nothing was done", "Send JSON with")
    shown = await its.show(asked)
    assert shown["question"]["state"] == "open"
    noted = shown["refusals"][-1]
    assert (noted["by"], noted["request"]) == (f"{POSTS[route]}@contoso.example", route)
    assert noted["why"] == answer.body["detail"]


@pytest.mark.parametrize("route", ["answer", "approvals"])
async def test_a_body_of_2_mb_is_refused(its: Responder, asked: str, route: str) -> None:
    async with its.unchanged():
        answer = await its.ask("POST", f"incidents/{asked}/{route}", {"reason": "x" * 2_000_000}, by=POSTS[route])
        assert_refused(answer, 400, "larger than 1048576 bytes", "Nothing was done")


async def test_a_refusal_that_is_repeated_is_noted_once(its: Responder, asked: str) -> None:
    for _ in range(5):
        await its.ask("POST", f"incidents/{asked}/approvals", b"{", by="alice")
    assert len((await its.show(asked))["refusals"]) == 1
