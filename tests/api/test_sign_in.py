"""Who may do what, by the roles of the verified sign-in."""

import base64
import json

import pytest

from tests.api.responder import LOGIC_APP, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

ROUTES = (
    ("POST", "alerts"),
    ("GET", "incidents"),
    ("GET", "incidents/{}"),
    ("POST", "incidents/{}/answer"),
    ("POST", "incidents/{}/approvals"),
    ("POST", "incidents/{}/rerun"),
    ("POST", "incidents/{}/undo"),
)
FORGED = base64.b64encode(json.dumps({"claims": [{"typ": "roles", "val": "Approver"}]}).encode()).decode()
STRANGERS = {
    "no token": {},
    "no token, but the platform's own header": {"X-MS-CLIENT-PRINCIPAL": FORGED, "X-MS-CLIENT-PRINCIPAL-ID": "alice"},
    "a made-up token": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlcyI6WyJBcHByb3ZlciJdfQ."},
    "another kind of sign-in": {"Authorization": "Basic YWxpY2U6YWxpY2U="},
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS.keys())
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_who_is_not_signed_in_is_refused(its: Responder, method: str, path: str, headers: dict[str, str]) -> None:
    async with its.unchanged():
        answer = await its.ask(method, path.format("0" * 20), {} if method == "POST" else None, headers=headers)
        assert answer.status == 401


async def test_a_token_for_azure_is_none_for_the_responder(its: Responder) -> None:
    token = its.sandbox.token(its.scene.who("alice@contoso.example"), "arm")
    answer = await its.ask("GET", "incidents", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401


@pytest.mark.parametrize(("by", "has"), [("soc", "Reader"), ("owner", "Owner"), ("dev", "none")])
async def test_who_may_not_send_alerts_is_refused(its: Responder, by: str, has: str) -> None:
    alert = its.raised()
    async with its.unchanged():
        answer = await its.ask("POST", "alerts", {"id": alert["id"]}, by=by)
        assert_refused(answer, 403, "Sender or Approver", f"{by}@contoso.example has {has}", "Nothing was done", "role")


async def test_a_role_comes_before_what_is_sent(its: Responder) -> None:
    answer = await its.ask("POST", "alerts", b"{not json", by="soc")
    assert_refused(answer, 403, "Sender or Approver")


@pytest.mark.parametrize("by", ["dev", LOGIC_APP])
async def test_who_may_not_read_is_refused(its: Responder, asked: str, by: str) -> None:
    for path in ("incidents", f"incidents/{asked}"):
        assert_refused(await its.ask("GET", path, by=by), 403, "Reader or Owner or Approver", "Nothing was done")


@pytest.mark.parametrize("route", ["rerun", "undo"])
@pytest.mark.parametrize("by", ["soc", "dev", LOGIC_APP])
async def test_who_may_not_run_again_or_undo_is_refused_and_that_is_noted(
    its: Responder, asked: str, by: str, route: str
) -> None:
    async with its.unchanged():
        answer = await its.ask("POST", f"incidents/{asked}/{route}", {}, by=by)
        assert_refused(answer, 403, "app role Approver", "Nothing was done")
    noted = (await its.show(asked))["refusals"][-1]
    assert (noted["request"], noted["why"]) == (route, answer.body["detail"])
