import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from responders.evidence import Evidence
from responders.model import Plan, Principal, Subject
from responders.pages import report as report_page
from responders.pages.markup import visible
from responders.report import write
from tests.responders.seen import Seen, kept, page, read
from tests.responders.story import ALERT, ANN, BOB, FINDINGS, ID, MALLORY, RUNBOOKS, WHERE, Story, change, whole

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "</title></textarea><!-- <![CDATA[ ]]> -->",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;b&gt; &#60;i&#62; &amp;lt;",
    "invoice\u202egnp.exe",
    "nul\x00 bell\x07 escape\x1b[31m del\x7f",
    "{0.__class__} %s ${x} {{y}}",
)
# All that the page is made of: anything else has come from a text.
TAGS = re.compile(
    "html|head|meta|title|style|body|header|main|footer|section|article|h[1-4]|p|ul|li|dl|div|dt|dd|table|caption|thead"
    "|tbody|tr|th|td|code|span|b|a|blockquote|time|figure|figcaption|svg|desc|g|path|rect|circle|text"
)
ATTRIBUTES = re.compile(
    "lang|charset|http-equiv|content|name|class|id|aria-labelledby|scope|datetime|href|rel"
    "|viewbox|role|transform|x|y|width|height|cx|cy|r|d"
)


@pytest.fixture
def store() -> Evidence:
    return Evidence.at("memory://")


async def hostile(store: Evidence, text: str) -> Story:
    """An incident in which every text that others can choose is `text`."""
    alert = msgspec.structs.replace(
        ALERT, title=text, description=text, addresses=(text,), resources=(text,), details={text: text}, link=text
    )
    suspect = Principal(id=text, kind="user", name=text, upn=text, tenant=text)
    story = Story(store, alert, (suspect,))
    subject = Subject(kind="user", id=text, name=text, reason=text)
    finding = msgspec.structs.replace(FINDINGS[0], reason=text, operation=text, resource=text, caller=text)
    await story.alerted()
    await story.examined()
    await story.asked(text)
    await story.answered("unexpected", text)
    await story.investigated(subject, by_hand=(text,), findings=(finding,))
    one = msgspec.structs.replace(change("x"), resource=text, summary=text, reasons=(text,), lasting=text)
    plan = Plan(action=RUNBOOKS, subject=subject, changes=(one,), kept=(text,))
    step = await story.planned(plan)
    await story.voted(step, plan, msgspec.structs.replace(ANN, name=text), reason=text)
    await story.decided(step, "approved", plan, text, text)
    await story.applied(step, one, "done", text)
    await story.verified(step, one, "unverified", text)
    await story.failed(text, text)
    await story.refused(msgspec.structs.replace(BOB, name=text), text, gate=step)
    await story.note("unheard_of", {text: text}, by=text)
    await story.closed("resolved", text)
    await story.asked_again("u", reason=text)
    return story


def tags(seen: Seen) -> list[str]:
    """The page's elements, less the words in the picture, which are there if they have room, and their lines."""
    return [tag for tag, _ in seen.elements if tag not in {"text", "path"}]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_stays_text(store: Evidence, text: str) -> None:
    story = await hostile(store, text)
    seen = await page(story.incident)
    assert all(TAGS.fullmatch(tag) for tag, _ in seen.elements)
    assert all(ATTRIBUTES.fullmatch(name) for _, attrs in seen.elements for name in attrs)
    assert seen.others == []
    assert seen.links() == []
    assert seen.text.count(visible(text)) >= 30
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", seen.text)
    harmless = await page((await hostile(Evidence.at("memory://"), "x")).incident)
    assert tags(seen) == tags(harmless)


async def test_the_page_runs_nothing_and_loads_nothing(store: Evidence) -> None:
    story = await whole(store)
    data = await read(story.incident, await write(story.incident, ID))
    seen = Seen(data)
    policies = [a["content"] for t, a in seen.elements if a.get("http-equiv") == "Content-Security-Policy"]
    style = data.decode().partition("<style>")[2].partition("</style>")[0]
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'; form-action 'none'"]
    assert not re.search(r"url\(|@import|expression|</", style)
    assert seen.links() == [ALERT.link]


async def test_the_page_can_be_read_by_all(store: Evidence) -> None:
    seen = await page((await whole(store)).incident)
    found = [tag for tag, _ in seen.elements]
    levels = [int(tag[1]) for tag in found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert found.count("table") == found.count("caption") > 0
    assert all(attrs.get("scope") == "col" for tag, attrs in seen.elements if tag == "th")
    ids = [attrs["id"] for _, attrs in seen.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert ("html", {"lang": "en"}) in seen.elements


def test_words_stand_out_from_their_ground_in_light_and_dark() -> None:
    style = Path(report_page.__file__).with_name("report.css").read_text()
    themes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in style.split("prefers-color-scheme")]
    assert len(themes) == 2
    for theme in themes:
        for ink, ground in [
            ("ink", "paper"),
            ("soft", "paper"),
            ("link", "paper"),
            ("ink", "wash"),
            *((tone, f"{tone}-wash") for tone in ("good", "bad", "plain")),
        ]:
            bright, dim = sorted((luminance(theme[ink]), luminance(theme[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)
        for mark in ("grave", "notable", "slight", "link", "good", "soft", "bad"):
            bright, dim = sorted((luminance(theme[mark]), luminance(theme["paper"])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 3, mark


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def test_a_flood_of_findings_is_cut_on_the_page_and_whole_in_the_json(store: Evidence) -> None:
    story = Story(store)
    await story.alerted()
    await story.examined()
    await story.investigated(WHERE, findings=FINDINGS * 500)
    await story.closed("resolved")
    seen = await page(story.incident)
    assert "… and 500 more, which are in the JSON." in seen.text
    assert (await kept(story.incident))["findings"]["count"] == 1000


async def test_it_is_told_why_somebody_is_suspected(store: Evidence) -> None:
    made = Principal(id="e" * 32, kind="service_principal", because="Mallory gave it a secret.", since=ALERT.start)
    story = Story(store, suspects=(MALLORY, made))
    await story.alerted()
    await story.examined()
    await story.closed("resolved")
    seen = await page(story.incident)
    assert "The alert names it." in seen.text
    assert "Mallory gave it a secret.from 2026-01-02 11:00:00 UTC on" in seen.text
