"""The page behind the link in an owner's mail: looking decides nothing, sending its form does, by the API's rules.

Three things must agree: the platform's sign-in, the link's token, and the question that is open.
"""

from collections.abc import Iterable
from urllib.parse import parse_qs
from xml.etree.ElementTree import Element

from responders import approvals, links
from responders.approvals import Answer, Person, Question
from responders.engine import Engine
from responders.errors import Permanent, Refused
from responders.incident import Incident
from responders.model import Alert, Case, Principal
from responders.pages.frame import page
from responders.pages.markup import Node, el, facts, items
from responders.services import Services, now
from responders.utc import utc
from responders.web.api import keep_answer, known, noted, open_question

GONE = 410
_FIELDS = 10 + approvals.MOST_KNOWN  # of a form


async def show(id_: str, token: str, who: Person, its: Services) -> tuple[int, bytes]:
    """The question, with two buttons. Decides nothing, whoever follows the link: mail scanners do."""
    which, question = await _checked(id_, token, who, its)
    approvals.check_answer(question, who, now())
    case = await which.case(question.id)
    return 200, page(case.alert.title, _asking(case), _form(question, token), form=True)


async def answer(id_: str, body: bytes, who: Person, its: Services, engine: Engine) -> tuple[int, bytes]:
    """The form that the page sends. Its token is what a page of somebody else's could not send."""
    fields = _fields(body)
    which, question = await _checked(id_, fields.get("token", [""])[0], who, its)
    async with noted(which, who, "answer") as what:
        what["question"] = question.id
        if fields.get("expected", [""])[0] not in {"yes", "no"}:
            raise Permanent(
                "The form does not say whether it was expected. Nothing was done. Go back, and use a button."
            )
        expected = fields["expected"][0] == "yes"
        known = () if expected else tuple(fields.get("known", ()))  # what was ticked before that button was chosen
        given = Answer(by=who, at=now(), expected=expected, reason=fields.get("reason", [""])[0], known=known)
        await keep_answer(which, question, given, engine)
    follows = (
        "The alert is being dismissed." if expected else "It is being treated as an attack; approvers are asked next."
    )
    return 200, message("Thank you", f"Your answer was kept: {'expected' if expected else 'not expected'}. {follows}")


def message(title: str, *lines: str) -> bytes:
    """A page that says something."""
    return page(title, el("header", _brand(), el("h1", title)), el("main", *(el("p", line) for line in lines)))


async def _checked(id_: str, token: str, who: Person, its: Services) -> tuple[Incident, Question]:
    """The incident and the open question that a token is good for. Raises Refused for any other."""
    link = links.read(its.settings.link_key, token)
    if link.incident != id_:
        raise Refused("This link was made for another incident. Nothing was done. Copy it whole from the mail.", 403)
    if link.person != who.id:
        raise Refused(
            f"This link was made for another person than {who.name}. Nothing was done. Sign in as the one to whom the "
            "mail was sent; whoever else is an owner answers on the API.",
            403,
        )
    which = await known(id_, its)
    question = await which.question(link.question)
    if (given := await which.answer(question.id)) is not None:
        said = "expected" if given.expected else "not expected"
        raise Refused(f"The question was answered already, by {given.by.name}: {said}. The first answer stands.", GONE)
    if now().timestamp() > link.expires:
        raise Refused(
            f"This link expired at {utc(question.expires)}, and silence is held to be unexpected. What "
            "is done about it still needs approvals: tell an approver.",
            GONE,
        )
    if (await open_question(which)).id != question.id:
        raise Refused("This was asked of an earlier run of the incident. Use the link of the latest mail.", GONE)
    return which, question


def _fields(body: bytes) -> dict[str, list[str]]:
    """The values of each field of a form. Raises Permanent for what is none."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise Permanent("The body was not understood. Nothing was done. Use the form of the page.") from error


def _asking(case: Case) -> Element:
    alert = case.alert
    title = el("header", _brand(), el("h1", "Was this expected?"), el("p", alert.title, class_="verdict text"))
    told = [
        ("Severity", alert.severity),
        ("When", _when(alert)),
        ("Who", _listed(_who(s) for s in case.suspects)),
    ]
    told += [
        ("From", _listed(alert.addresses)),
        ("On", _listed(alert.resources)),
        ("Alert type", el("code", alert.type)),
    ]
    about = el("p", alert.description, class_="text") if alert.description else None
    return el("div", title, el("section", el("h2", "What Defender says"), about, facts(told)))


def _form(question: Question, token: str) -> Element:
    form = el(
        "form",
        el("input", type="hidden", name="token", value=token),
        el("label", "Reason, for the report (you may leave it empty)", for_="reason"),
        el("textarea", id="reason", name="reason", rows="3", maxlength="2000"),
        *_known(question),
        el("button", "Yes, it was expected", type="submit", name="expected", value="yes"),
        el("button", "No, it was not", type="submit", name="expected", value="no"),
        method="post",
        action="question",
    )
    until = f"Time to answer: until {utc(question.expires)}."
    return el("main", el("h2", "Your answer"), el("p", question.text, class_="text"), el("p", until), form)


def _known(question: Question) -> Iterable[Node]:
    """What he may tick as known to him, whatever he thinks of the rest."""
    if question.things:
        yield el("p", "If it was not expected: what of this is known to you? It is left alone.")
    for n, (id_, words) in enumerate(question.things.items()):
        box = el("input", type="checkbox", name="known", value=id_, id=f"known-{n}")
        yield el("label", box, f" {words}", for_=f"known-{n}", class_="text")


def _brand() -> Element:
    return el("p", "Countersign: a question", class_="brand")


def _who(suspect: Principal) -> str:
    name = suspect.upn or suspect.name or suspect.id
    return f"{name} of tenant {suspect.tenant}" if suspect.kind == "foreign" else name


def _when(alert: Alert) -> str:
    return f"{alert.start:%Y-%m-%d %H:%M} to {utc(alert.end)}"


def _listed(texts: Iterable[str]) -> Node:
    listed = [el("code", text) for text in texts]
    return items(listed) if listed else None
