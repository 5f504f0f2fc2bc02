import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from responders import report_page
from responders.evidence import Evidence
from responders.incident import Incident
from responders.markup import document, el, link, visible
from responders.model import Json, Plan, Principal, Subject, digest
from responders.report import write
from tests.responders.story import ALERT, ANN, BOB, FINDINGS, ID, OWNER, RUNBOOKS, WHERE, Story, change, whole

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
VOID = {"meta", "br", "img", "link", "input", "hr", "base"}
# All that the page is made of: anything else has come from a text.
TAGS = re.compile(
    "html|head|meta|title|style|body|header|main|footer|section|article|h[1-4]|p|ul|li|dl|div|dt|dd|table|caption|thead"
    "|tbody|tr|th|td|code|span|b|a|blockquote|time"
)
ATTRIBUTES = re.compile("lang|charset|http-equiv|content|name|class|id|aria-labelledby|scope|datetime|href|rel")


class Seen(HTMLParser):
    """A page as a browser would take it: its elements, its text, its links."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.others: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def links(self) -> list[str | None]:
        return [attrs[name] for _, attrs in self.elements for name in ("href", "src") if name in attrs]


@pytest.fixture
def store() -> Evidence:
    return Evidence.at("memory://")


async def page(incident: Incident, run: str = ID) -> Seen:
    return Seen(await read(incident, await write(incident, run)))


async def read(incident: Incident, path: str) -> bytes:
    data = await incident.evidence.read_bytes(path)
    assert data is not None
    return data


async def kept(incident: Incident, run: str = ID) -> Json:
    found: Json = json.loads(await read(incident, incident.path("reports", f"{run}.json")))
    return found


async def test_the_report_is_kept_as_a_page_and_as_json(store: Evidence) -> None:
    story = await whole(store)
    path = await write(story.incident, ID)
    assert path == f"incidents/{ID}/reports/{ID}.html"
    assert await store.list(f"incidents/{ID}/reports") == [path, path.replace("html", "json")]
    report = await kept(story.incident)
    assert (report["report"], report["report_of"], report["result"]) == (path, ID, "unfinished")
    data = await read(story.incident, path.replace("html", "json"))
    assert hashlib.sha256(data).hexdigest() in Seen(await read(story.incident, path)).text


async def test_the_page_tells_the_whole_story(store: Evidence) -> None:
    story = await whole(store)
    text = (await page(story.incident)).text
    head = await story.incident.journal.head()
    plan = await story.incident.journal.find(f"planned {ID}-0-0-6-0")
    assert plan is not None
    for said in [
        ALERT.title,
        ALERT.description,
        "mallory wrote a runbook",
        "Was that expected?",
        OWNER.name,
        "We never do this.",
        plan.what["answer"]["plan"],
        f"approved by {ANN.name}, {BOB.name}",
        "Loud is ours.",
        "delete the runbook hook",
        "mallory wrote it at 11:20",
        "It still shows.",
        "not approved",
        "Undo can't bring back its jobs.",
        "runbook Backup: familiar, made by ops in 2023",
        "No assignment here was made by a suspect.",
        "expired by nobody",
        "Tell the other tenant.",
        "Graph said 500.",
        "You are a suspect.",
        f"POST /api/incidents/{ID}/undo",
        head.sha256,
        "Every entry follows from the one before",
    ]:
        assert said in text, said
    assert text.index("mallory wrote a runbook") < text.index("mallory made a webhook")
    assert "never shown" not in text


async def test_a_second_report_changes_nothing(store: Evidence) -> None:
    story = await whole(store)
    path = await write(story.incident, ID)
    before = [await read(story.incident, p) for p in await store.list(f"incidents/{ID}/reports")]
    await story.failed("close", "It was tried again.")
    assert await write(Incident(store, ID), ID) == path
    assert [await read(story.incident, p) for p in await store.list(f"incidents/{ID}/reports")] == before


async def test_a_page_that_was_lost_is_made_from_the_json_that_was_kept(store: Evidence) -> None:
    story = await whole(store)
    dying = Dying(store)
    with pytest.raises(KeyboardInterrupt):
        await write(Incident(dying, ID), ID)
    first = await kept(story.incident)
    await story.failed("close", "The worker died.")
    seen = await page(story.incident)
    assert await kept(story.incident) == first
    assert "The worker died." not in seen.text
    assert digest(first) in seen.text


async def test_an_undo_has_a_report_of_its_own(store: Evidence) -> None:
    story = await whole(store)
    await write(story.incident, ID)
    undo = await story.asked_again("u", reason="It was a drill.")
    plan = Plan(action="undo", subject=WHERE, changes=(change("hook"),))
    await story.planned(plan, step=undo)
    await story.decided(undo, "approved", plan, BOB.name)
    await story.applied(undo, change("hook"), undo=True)
    await story.undone(undo)
    text = (await page(story.incident, undo)).text
    assert "It was a drill." in text
    assert "undone since" in text
    assert "Undo of: delete the runbook hook: done." in text


async def test_a_run_again_shows_the_runs_before_it(store: Evidence) -> None:
    story = await whole(store)
    story.run = await story.asked_again("r")
    await story.alerted()
    await story.examined("dismissed", "The alert has been dismissed in Defender already.")
    await story.closed("dismissed")
    text = (await page(story.incident, story.run)).text
    assert "Earlier runs" in text
    assert (
        text.index("The alert has been dismissed") < text.index("Earlier runs") < text.index("delete the runbook loud")
    )


async def test_a_damaged_journal_is_told(store: Evidence) -> None:
    story = await whole(store)
    damaged = Altered(store, "journal/000004.json", b"{}")
    seen = await page(Incident(damaged, ID))
    assert "The journal is not as it was written" in seen.text
    assert "Entry 4 can't be read" in seen.text
    assert "Every entry follows" not in seen.text
    assert (await kept(story.incident))["journal"]["problems"]


async def test_an_alert_that_came_to_nothing_has_a_report(store: Evidence) -> None:
    story = Story(store)
    await story.alerted()
    await story.failed("examine", "Defender knows no such alert.")
    await story.closed("not_acted_on", "Defender knows no such alert.")
    text = (await page(story.incident)).text
    for said in ("not acted on", "Nobody was asked.", "Nothing was planned.", "The alert names no suspect."):
        assert said in text


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
    assert [tag for tag, _ in seen.elements] == [tag for tag, _ in harmless.elements]


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


async def test_the_page_can_be_read_by_all(store: Evidence) -> None:
    seen = await page((await whole(store)).incident)
    tags = [tag for tag, _ in seen.elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert tags.count("table") == tags.count("caption") > 0
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


class Altered(Evidence):
    """A store in which one path reads otherwise."""

    def __init__(self, other: Evidence, end: str, data: bytes) -> None:
        super().__init__(other._store)
        self._end, self._data = end, data

    async def read_bytes(self, path: str) -> bytes | None:
        return self._data if path.endswith(self._end) else await super().read_bytes(path)


class Dying(Evidence):
    """A store whose user dies when he writes a page."""

    def __init__(self, other: Evidence) -> None:
        super().__init__(other._store)

    async def create(self, path: str, noun: object) -> bool:
        if path.endswith(".html"):
            raise KeyboardInterrupt
        return await super().create(path, noun)
