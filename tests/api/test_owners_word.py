"""An owner's word on single things: what he knows is left alone, and what his word can't do."""

import pytest

from tests.api.responder import DAVE, NELL, NILS, NORA, PROD, STRIP, Responder, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def told(its: Responder, incident: str, *known: str, expected: bool = False, by: str = "owner") -> None:
    body = {"expected": expected, "known": list(known)}
    answer = await its.ask("POST", f"incidents/{incident}/answer", body, by=by)
    assert answer.status == 202, answer
    await its.host.idle()


async def test_what_the_owner_knows_is_left_alone_and_his_word_is_the_reason(its: Responder, asked: str) -> None:
    await told(its, asked, NORA.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), NILS)
    gate = await its.gate(asked, STRIP)
    assert {change["resource"] for change in gate["plan"]["changes"]} == {DAVE, NELL}
    kept = (await its.step(asked, STRIP))["kept"]
    assert sum(line.endswith(": said so by owner@contoso.example") for line in kept) == 2
    ended = await its.ended(asked, votes="approve")
    assert [its.there(id_) for id_ in (NORA, NILS, DAVE, NELL)] == [True, True, False, False]
    assert len(ended["question"]["known"]) == 2
    its.restore()


async def test_what_the_question_lists_is_what_the_suspect_gave_and_to_whom(its: Responder, asked: str) -> None:
    things = (await its.show(asked))["question"]["things"]
    assert {NORA, NILS, DAVE, NELL} <= things.keys()
    assert things[NORA] == f"the rights that nora@contoso.example was given on {PROD}/resourceGroups/rg-web"
    assert things[its.scene.who("nora@contoso.example")] == "nora@contoso.example itself"
    assert its.scene.who("eve@contoso.example") not in things
    assert PROD not in things


@pytest.mark.parametrize(
    ("known", "status", "words"),
    [
        (["eve"], 403, ("is a suspect", "no owner's word clears")),
        (["../.."], 400, ("Not a resource id",)),
        (["x' or 1 eq 1"], 400, ("Not a resource id",)),
        ([f"/subscriptions/{n:08}-0000-4000-8000-000000000000" for n in range(51)], 400, ("length <= 50",)),
        ("all", 400, ("not understood",)),
    ],
)
async def test_what_can_not_be_known_is_refused_and_nothing_is_kept(
    its: Responder, asked: str, known: list[str], status: int, words: tuple[str, ...]
) -> None:
    body = {"expected": False, "known": [its.scene.who("eve@contoso.example")] if known == ["eve"] else known}
    async with its.unchanged():
        assert_refused(await its.ask("POST", f"incidents/{asked}/answer", body, by="owner"), status, *words)
    assert (await its.show(asked))["question"]["state"] == "open"


async def test_who_expected_all_names_nothing(its: Responder, asked: str) -> None:
    body = {"expected": True, "known": [NORA]}
    async with its.unchanged():
        assert_refused(await its.ask("POST", f"incidents/{asked}/answer", body, by="owner"), 409, "answer again")


async def test_nobody_speaks_for_the_rights_that_a_suspect_gave_himself(its: Responder) -> None:
    lab = {"type": "azure-resource", "resourceId": f"{PROD}/resourceGroups/rg-lab"}
    incident = await its.delivered(its.raised(its.account("eve"), lab))
    grant = its.sandbox.world.get(NILS)
    assert grant
    hers = {**grant.properties, "principalId": its.scene.who("lena@contoso.example")}
    its.sandbox.world.put(NILS, {**grant.body, "properties": hers})
    await told(its, incident, NORA, NILS, by="lena")
    gate = await its.gate(incident, STRIP)
    assert {change["resource"] for change in gate["plan"]["changes"]} == {NILS, DAVE, NELL}
    await its.ended(incident)
    its.restore()
