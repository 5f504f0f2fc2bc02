"""What people read in mails and on the API. Plain text: whoever shows it escapes it."""

from responders.approvals import Question
from responders.links import Link, token
from responders.model import SIGN_OFF, Case, Change, Plan, Principal
from responders.owners import Owner
from responders.settings import Settings
from responders.utc import utc


def question(case: Case) -> str:
    """The owner's question."""
    alert = case.alert
    who = ", ".join(_who(s) for s in case.suspects) or "somebody whom the alert does not name"
    where = ", ".join(alert.resources[:5]) or f"subscription {case.subscription}"
    from_ = f" from {', '.join(alert.addresses[:5])}" if alert.addresses else ""
    return (
        f"Microsoft Defender says about {where}: {alert.title} ({alert.severity}). It was {who}{from_}, "
        f"{utc(alert.start)}. {_more(case)}Was that expected? If it was, the alert is dismissed. If it "
        "was not, or if nobody answers in time, the accounts and resources that it touched are treated as compromised."
    )


def _who(suspect: Principal) -> str:
    name = suspect.upn or suspect.name or suspect.id
    return f"{name} of another tenant ({suspect.tenant})" if suspect.kind == "foreign" else name


def _more(case: Case) -> str:
    told = [f"{a.title} ({a.severity}), {utc(a.start)}" for a in case.joined]
    return f"And of the same: {'; '.join(told)}. " if told else ""


def waiting(plan: Plan, gate: str) -> str:
    """The approvers' call."""
    lines = "\n".join(f"- {_only_if_named(c)}{c.summary} ({'; '.join(c.reasons)})" for c in plan.changes[:20])
    more = f"\n… and {len(plan.changes) - 20} more" if len(plan.changes) > 20 else ""  # noqa: PLR2004
    need = "two people's approval" if gate == "two" else "one person's approval"
    if plan.action == SIGN_OFF:
        return (
            f"The incident can be closed when somebody signs for what nothing here explains or undoes:\n{lines}{more}"
        )
    return f"{plan.action} waits for {need}. It would:\n{lines}{more}"


def too_few(free: int, needs: int) -> str:
    """What the approvers are told of a gate that they can't open by themselves."""
    return (
        f"Of those whom COUNTERSIGN_APPROVERS names, {free or 'nobody'} may countersign this, and it takes {needs}. "
        "Give somebody else the app role Approver before its time is over; else nothing of it is done."
    )


def _only_if_named(change: Change) -> str:
    return "only if you name it: " if change.familiarity == "unknown" else ""


def mail(settings: Settings, incident: str, text: str) -> tuple[str, str]:
    """Subject and text of a mail. Its address leads to the API, where one signs in; following it decides nothing."""
    where = f"\n\n{settings.url.rstrip('/')}/api/incidents/{incident}" if settings.url else ""
    return f"Countersign: incident {incident} waits for you", text + where


def mail_to_owner(settings: Settings, incident: str, question: Question, owner: Owner) -> tuple[str, str]:
    """The same for an owner: why he is asked, and with a key for it, his own link to the page that asks him."""
    until = utc(question.expires)
    text = f"{question.text}\n\nWhy you: {owner.person.name}, {owner.why}. Time to answer: until {until}."
    subject, plain = mail(settings, incident, text)
    if not (settings.link_key and settings.url):
        return subject, plain
    expires = int(question.expires.timestamp())
    link = Link(incident=incident, question=question.id, person=owner.person.id, expires=expires)
    url = f"{settings.url.rstrip('/')}/api/incidents/{incident}/question?token={token(settings.link_key, link)}"
    return subject, f"{text}\n\nAnswer here, signed in as yourself; following the link decides nothing:\n{url}"
