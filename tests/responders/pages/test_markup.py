import pytest

from responders.pages.markup import document, el, link, visible
from tests.responders.seen import Seen


@pytest.mark.parametrize(
    "url",
    [
        "https://portal.azure.com",
        "https://portal.azure.com/#blade/x/y~/%7B%22a%22%7D",
        "https://security.microsoft.com/alerts/1?tid=2&x=(3)",
    ],
)
def test_the_portals_are_linked(url: str) -> None:
    made = link(url)
    assert (made.tag, made.get("href"), made.get("rel"), made.text) == ("a", url, "noopener noreferrer", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.azure.com/",
        "HTTPS://portal.azure.com/",
        "javascript:alert(1)//https://portal.azure.com/",
        "https://portal.azure.com.evil.example/",
        "https://portal.azure.com@evil.example/",
        "https://portal.azure.com:443@evil.example/",
        "https://portal.azure.com\\@evil.example/",
        "https://evil.example/https://portal.azure.com/",
        "https://portal.azure.com/\n",
        "https://portal.azure.com/\u202etxt",
        "https://portal.azure.com/ x",
        "https://p\u043ertal.azure.com/",
        "//portal.azure.com/",
        " https://portal.azure.com/",
        'https://portal.azure.com/"onclick="x',
        "",
    ],
)
def test_nothing_else_is_linked(url: str) -> None:
    made = link(url)
    assert (made.tag, made.attrib) == ("code", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain & <simple>", "plain & <simple>"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Ünï 漢字 עברית 🙂", "Ünï 漢字 עברית 🙂"),
        ("\u202e\u2066\u200b\ufeff", "⟨U+202E⟩⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩"),
        ("\x00\r\x85\u2028", "⟨U+0000⟩⟨U+000D⟩⟨U+0085⟩⟨U+2028⟩"),
        ("\U000e0041\u3164\ud800\ue000", "⟨U+E0041⟩⟨U+3164⟩⟨U+D800⟩⟨U+E000⟩"),
    ],
)
def test_what_can_t_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert Seen(document(el("p", text, lang=text))).text.strip("\n") == shown


def test_children_keep_their_order() -> None:
    made = el("p", "a", None, "b", el("b", "c"), "d", "e", el("i"), "f")
    assert document(made) == b"<!DOCTYPE html>\n<p>ab<b>c</b>de<i></i>f</p>\n"
