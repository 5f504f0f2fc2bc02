"""The page behind the link in an owner's mail: what it shows, whose answer counts, that looking decides nothing."""

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
import pytest

from responders import links
from responders.links import Link
from sandbox.azure import raise_alert
from tests.api.responder import NILS, NORA, PROD, Answer, Responder
from tests.responders.seen import Seen
from tests.web.conftest import CHANNEL, KEY, URL

pytestmark = pytest.mark.asyncio(loop_scope="package")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = "</style><script>alert(1)</script><form action=//evil><input name=expected value=yes> \u202e\x00'\""


def mailed(its: Responder, incident: str) -> str:
    """The token in the mail to the owner."""
    mails = [mail for mail in its.sandbox.world.mails if mail["to"] == ["owner@contoso.example"]]
    [link] = {re.search(rf"{URL}/api/incidents/{incident}/question\?token=(\S+)", m["body"]) for m in mails[-1:]}
    assert link
    return link[1]


async def looked(its: Responder, incident: str, token: str, by: str = "owner") -> Answer:
    return await its.ask("GET", f"incidents/{incident}/question?token={token}", by=by)


async def sent(
    its: Responder, incident: str, by: str = "owner", headers: Mapping[str, str] = FORM, **fields: str
) -> Answer:
    return await its.ask("POST", f"incidents/{incident}/question", urlencode(fields).encode(), by=by, headers=headers)


def said(answer: Answer) -> str:
    """The text of a page."""
    assert answer.kind == "text/html"
    return " ".join(Seen(answer.body.encode()).text.split())


async def test_the_mail_says_why_he_is_asked_and_leads_to_the_page(its: Responder, asked: str) -> None:
    page = await looked(its, asked, mailed(its, asked))
    assert page.status == 200
    for words in (
        "Was this expected?",
        "eve@contoso.example",
        "198.51.100.7",
        "Yes, it was expected",
        "No, it was not",
    ):
        assert words in said(page)
    body = its.sandbox.world.mails[-1]["body"]
    assert "named by the tag owner of subscription" in body
    shown = (await its.show(asked))["question"]
    assert shown["why"] == [f"named by the tag owner of subscription {PROD.rpartition('/')[2]}"]
    mailed_to, channel = shown["told"].split("; ")
    assert mailed_to == "mailed to owner@contoso.example"
    assert channel == "channel 1 (JSON) not told: it refused, or can't be reached"


async def test_no_secret_is_kept_or_shown(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    await looked(its, asked, token, "eve")
    await sent(its, asked, "eve", token=token, expected="yes")
    await its.answered(asked, expected=True)
    secrets = [token.encode(), KEY.encode(), CHANNEL.encode()]
    files = [
        file for file in its.evidence.parent.rglob("*") if file.is_file() and file.suffix not in {".db", ".sqlite"}
    ]
    assert len(files) > 5
    assert [str(file) for file in files if any(secret in file.read_bytes() for secret in secrets)] == []


async def test_looking_decides_nothing_however_often_and_by_whomever(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    async with its.unchanged():
        for by in ("owner", "owner", "soc", "eve", ""):
            await looked(its, asked, token, by)
    assert (await its.show(asked))["question"]["state"] == "open"
    assert (await its.show(asked))["refusals"] == []


async def test_the_page_has_no_scripts_and_sends_its_form_home_only(its: Responder, asked: str) -> None:
    url = f"{its.host.url}/api/incidents/{asked}/question?token={mailed(its, asked)}"
    headers = {"Authorization": f"Bearer {its.token('owner')}"}
    async with its._session.get(url, headers=headers) as answer:
        policy, page = answer.headers["Content-Security-Policy"], Seen(await answer.read())
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
    assert page.links() == []
    assert "script" not in {tag for tag, _ in page.elements}
    assert [attrs["action"] for tag, attrs in page.elements if tag == "form"] == ["question"]


@pytest.mark.parametrize(
    ("button", "answer", "status"), [("yes", "expected", "closed"), ("no", "unexpected", "responding")]
)
async def test_a_button_answers_like_the_api(its: Responder, asked: str, button: str, answer: str, status: str) -> None:
    page = await sent(its, asked, token=mailed(its, asked), expected=button, reason="Änderung <b>42</b>")
    assert page.status == 200
    assert "Your answer was kept" in said(page)
    shown = await its.show(asked)
    assert (shown["status"], shown["question"]["answer"]) == (status, answer)
    assert (shown["question"]["by"], shown["question"]["reason"]) == ("owner@contoso.example", "Änderung <b>42</b>")


async def test_what_is_known_to_him_is_ticked_on_the_page(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    page = Seen((await looked(its, asked, token)).body.encode())
    boxes = [attrs["value"] for tag, attrs in page.elements if tag == "input" and attrs.get("name") == "known"]
    assert NORA in boxes
    assert "the rights that nora@contoso.example was given" in page.text
    body = urlencode([("token", token), ("expected", "no"), ("known", NORA), ("known", NILS)])
    sent = await its.ask("POST", f"incidents/{asked}/question", body.encode(), by="owner", headers=FORM)
    assert sent.status == 200
    assert (await its.show(asked))["question"]["known"] == [NORA, NILS]


async def test_what_was_ticked_counts_for_nothing_when_all_was_expected(its: Responder, asked: str) -> None:
    page = await sent(its, asked, token=mailed(its, asked), expected="yes", known=NORA)
    assert page.status == 200
    assert (await its.show(asked))["question"]["known"] == []


async def test_a_token_is_used_up_by_the_answer_by_whatever_way(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    await its.answered(asked, expected=False)
    async with its.unchanged():
        for again in (await looked(its, asked, token), await sent(its, asked, token=token, expected="yes")):
            assert again.status == 410
            assert "answered already, by owner@contoso.example: not expected" in said(again)
    assert (await its.show(asked))["question"]["answer"] == "unexpected"


async def test_of_several_who_press_at_once_one_is_heard(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    pages = await asyncio.gather(*(sent(its, asked, token=token, expected=e) for e in ("no", "yes", "no", "yes")))
    assert [page.status for page in pages].count(200) == 1
    assert {page.status for page in pages} <= {200, 409, 410}
    heard = pages[[page.status for page in pages].index(200)]
    expected = "expected" if "kept: expected" in said(heard) else "unexpected"
    assert (await its.show(asked))["question"]["answer"] == expected


@pytest.mark.parametrize("by", ["alice", "soc", "eve"])
async def test_the_link_of_another_person_is_refused(its: Responder, asked: str, by: str) -> None:
    token = mailed(its, asked)
    async with its.unchanged():
        for page in (await looked(its, asked, token, by), await sent(its, asked, by, token=token, expected="yes")):
            assert page.status == 403
            assert "made for another person" in said(page)
            assert "owner@contoso.example" not in said(page)


async def test_a_link_for_a_suspect_would_not_count_though_we_had_signed_it(its: Responder, asked: str) -> None:
    token = signed(asked, person=its.scene.who("eve@contoso.example"))
    async with its.unchanged():
        for page in (
            await looked(its, asked, token, "eve"),
            await sent(its, asked, "eve", token=token, expected="yes"),
        ):
            assert page.status == 403
            assert "You are a suspect" in said(page)
    assert "suspect" in (await its.show(asked))["refusals"][-1]["why"]


async def test_a_token_that_is_forged_expired_or_anothers_is_refused(its: Responder, asked: str) -> None:
    good, me = mailed(its, asked), its.scene.who("owner@contoso.example")
    cases = {
        "": 403,
        good[:-1]: 403,
        signed(asked, person=me, key="x" * 32): 403,
        signed("f" * 20, person=me): 403,
        signed(asked, person=me, expires=1_000_000_000): 410,
        signed(asked, person=me, question=f"{asked}-r9"): 404,
    }
    async with its.unchanged():
        for token, status in cases.items():
            pages = await looked(its, asked, token), await sent(its, asked, token=token, expected="yes")
            assert [page.status for page in pages] == [status, status]
            assert all("Nothing was done" in said(p) or "Read it" in said(p) or "expired" in said(p) for p in pages)


async def test_after_silence_the_link_is_over(its: Responder, asked: str) -> None:
    token = mailed(its, asked)
    await its.pass_time()
    async with its.unchanged():
        page = await sent(its, asked, token=token, expected="yes")
        assert page.status == 409
        assert "Nothing is asked of an owner" in said(page)


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}], ids=["elsewhere", "a sibling"]
)
async def test_a_form_or_call_from_a_page_of_another_site_does_nothing(
    its: Responder, asked: str, headers: Mapping[str, str]
) -> None:
    async with its.unchanged():
        page = await sent(its, asked, headers={**FORM, **headers}, token=mailed(its, asked), expected="yes")
        assert page.status == 403
        call = await its.ask("POST", f"incidents/{asked}/answer", {"expected": True}, by="owner", headers=headers)
        assert call.status == 403


@pytest.mark.parametrize("body", [b"", b"expected=yes", b"{}", b"\xff", b"&" * 100_000, b"token=a&token=b"])
async def test_a_form_that_is_none_of_ours_does_nothing(its: Responder, asked: str, body: bytes) -> None:
    async with its.unchanged():
        page = await its.ask("POST", f"incidents/{asked}/question", body, by="owner", headers=FORM)
        assert page.status in {400, 403}
        assert "Nothing was done" in said(page)


@pytest.mark.parametrize("expected", ["", "maybe", "true"])
async def test_a_form_without_a_button_answers_nothing(its: Responder, asked: str, expected: str) -> None:
    async with its.unchanged():
        page = await sent(its, asked, token=mailed(its, asked), expected=expected)
        assert page.status == 400


async def test_hostile_text_of_an_alert_stays_text(its: Responder) -> None:
    at, subscription = its.scene.now, PROD.rpartition("/")[2]
    alert = raise_alert(
        its.sandbox.world,
        its.sandbox.clock,
        "ARM_OperationFromSuspiciousIP",
        subscription,
        at,
        [its.account("eve"), {"type": "ip", "address": "198.51.100.7"}],
        description=HOSTILE,
    )
    named = {**alert, "properties": {**alert["properties"], "alertDisplayName": HOSTILE}}
    its.sandbox.world.put(alert["id"], named)
    incident = await its.delivered(named)
    page = Seen((await looked(its, incident, mailed(its, incident))).body.encode())
    assert [tag for tag, _ in page.elements].count("form") == 1
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text
    assert "\u27e8U+202E\u27e9" in page.text
    await its.ended(incident)


def signed(incident: str, *, person: str, key: str = KEY, **other: object) -> str:
    link = Link(incident=incident, question=incident, person=person, expires=4_000_000_000)
    return links.token(key, msgspec.structs.replace(link, **other))
