import base64

import msgspec
import pytest

from responders import links
from responders.errors import Refused
from responders.links import Link

KEY = "k" * 32
LINK = Link(incident="0123456789abcdef0123", question="0123456789abcdef0123", person="p", expires=1_800_000_000)


def test_a_token_says_what_was_signed_and_can_stand_in_an_address() -> None:
    token = links.token(KEY, LINK)
    assert links.read(KEY, token) == LINK
    assert token == links.token(KEY, LINK)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_any_other_character_anywhere_makes_it_no_token() -> None:
    token = links.token(KEY, LINK)
    for at, old in enumerate(token):
        for new in ("A" if old != "A" else "B", ""):
            with pytest.raises(Refused):
                links.read(KEY, token[:at] + new + token[at + 1 :])


@pytest.mark.parametrize("field", ["incident", "question", "person", "expires"])
def test_another_token_under_the_same_signature_is_none(field: str) -> None:
    other = msgspec.structs.replace(LINK, **{field: 1_900_000_000 if field == "expires" else "other"})
    said = base64.urlsafe_b64encode(msgspec.json.encode(other)).decode().rstrip("=")
    with pytest.raises(Refused):
        links.read(KEY, f"{said}.{links.token(KEY, LINK).partition('.')[2]}")


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.é", "." * 5000, "null", "e30.e30"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        links.read(KEY, text)
    assert refused.value.status == 403


def test_another_key_signs_otherwise_and_an_empty_one_not_at_all() -> None:
    token = links.token(KEY, LINK)
    for key in ("", "l" * 32):
        with pytest.raises(Refused):
            links.read(key, token)
    with pytest.raises(ValueError, match="No key"):
        links.token("", LINK)
