"""Known good, or not, and why. What could not be found out is `unknown`, and is left for a person.

What people declared, what lies before the window, and what a known pipeline or somebody in his routine made is
familiar. What a suspect made in the window is not, wherever it lies and however it is tagged: only the owner's word on
that very thing makes it so.
"""

from collections.abc import Mapping
from datetime import datetime

from responders.ids import within
from responders.model import Case, Finding, Known, Maker, Verdict
from responders.utc import utc

_STRANGERS = frozenset({"foreign", "unknown"})
_TAGS = "/providers/microsoft.resources/tags/default"


def judge(
    case: Case,
    maker: str | None,
    made: datetime | None,
    deed: Finding | None = None,
    *,
    thing: str = "",
    holder: str = "",
    tags: Mapping[str, str] = {},
) -> Verdict:
    """Judge a thing by who made it (object id or principal name), when, and, as far as the log tells, from where.

    `thing` is its resource or object id; `holder` whom it gives rights, if it does; `tags` are those it has now.
    """
    logged = case.makers.get(thing.lower()) if thing else None
    if not maker:
        deed = case.wrote(thing)
        theirs = deed and (logged is None or deed.at <= logged.at)
        maker = deed.caller if deed and theirs else logged.id if logged else None
    if said := _said(case, thing, holder):
        return Verdict(familiarity="familiar", reasons=(said.because,))
    verdict = _by_origin(case, maker, made, deed, logged if logged and logged.id == maker else None)
    declared = _declared(case, thing)
    if declared is None:
        return _tagged(case, verdict, thing, made, tags)
    if verdict.familiarity != "unfamiliar":
        return Verdict(familiarity="familiar", reasons=(declared.because, *verdict.reasons))
    if declared.id.lower() != thing.lower():
        return verdict  # an intruder may plant things beneath what is known
    return Verdict(familiarity="unknown", reasons=(f"{declared.because}, but", *verdict.reasons))


def vouched(case: Case, thing: str) -> Known | None:
    """What people say of that thing: an owner, or the settings."""
    return _said(case, thing, "") or _declared(case, thing)


def _by_origin(
    case: Case, maker: str | None, made: datetime | None, deed: Finding | None, logged: Maker | None
) -> Verdict:
    if made is None or (not maker and made >= case.since):
        return Verdict(familiarity="unknown", reasons=("Azure does not say who made it, or when",))
    when = utc(made)
    if made < case.since:
        stranger = case.suspect(maker)
        if stranger and stranger.kind in _STRANGERS:
            why = f"made {when}, before the window, but by {stranger.upn or stranger.name or stranger.id}, a suspect "
            return Verdict(familiarity="unknown", reasons=(f"{why}whom this directory does not know",))
        return Verdict(familiarity="familiar", reasons=(f"made {when}, before the window",))
    suspect = case.suspect(maker, made)
    if suspect is None:
        if logged is None and maker and deed and deed.caller == maker:
            logged = Maker(id=maker, at=deed.at, name=deed.name, address=deed.address)
        return _by_another(case, maker or "", when, logged or Maker(id=maker or "", at=made))
    name = suspect.upn or suspect.name or suspect.id
    elsewhere = case.alert.addresses and deed and deed.address not in case.alert.addresses
    if elsewhere and deed and deed.usual:
        # A stolen session does not stop its owner from working: what he may have done himself is for a person to judge.
        why = f"made {when}, in the window, by {name}, but from {deed.address}, a network that he used before"
        return Verdict(familiarity="unknown", reasons=(why,))
    return Verdict(familiarity="unfamiliar", reasons=(f"made {when}, in the window, by the suspect {name}",))


def _by_another(case: Case, maker: str, when: str, logged: Maker) -> Verdict:
    """Of something made in the window by who was no suspect then."""
    name = logged.name or maker
    suspected = case.suspect(maker) is not None  # from later on: whoever took him over may have had him before
    if maker.lower() in {one.lower() for one in case.pipelines} and not suspected:
        why = f"deployed {when} by the pipeline {maker} (COUNTERSIGN_PIPELINES)"
        return Verdict(familiarity="familiar", reasons=(why,))
    if logged.regular and not suspected:
        return Verdict(familiarity="familiar", reasons=(f"made {when} by {name}, who is no suspect: {logged.regular}",))
    named = {address for alert in (case.alert, *case.joined) for address in alert.addresses}
    whence = f", but came from {logged.address}, which the alert names" if logged.address in named else ""
    return Verdict(
        familiarity="unknown", reasons=(f"made {when}, in the window, by {name}, who is no suspect{whence}",)
    )


def _said(case: Case, thing: str, holder: str) -> Known | None:
    """An owner's word on this very thing: never on a suspect, nor on what gives himself his rights."""
    if not thing or case.suspect(thing):
        return None
    theirs = (k for k in case.known if k.by and k.id.lower() == thing.lower())
    return next((k for k in theirs if k.by.lower() != holder.lower()), None)


def _declared(case: Case, thing: str) -> Known | None:
    if not thing or case.suspect(thing):
        return None
    for one in case.known:
        same = one.id.lower() == thing.lower()
        if not one.by and (same or (one.id.startswith("/") and within(thing, one.id))):
            return one
    return None


def _tagged(case: Case, verdict: Verdict, thing: str, made: datetime | None, tags: Mapping[str, str]) -> Verdict:
    """What a tag adds: only to what was perhaps made long ago, and where the log shows no suspect who wrote it."""
    pairs = {(name.lower(), value.lower()) for name, value in tags.items()}
    wanted = (text.partition("=") for text in case.familiar_tags)
    tag = next((n for n, _, v in wanted if (n.strip().lower(), v.strip().lower()) in pairs), "")
    if not tag or verdict.familiarity != "unknown":
        return verdict
    own = {thing.lower(), thing.lower() + _TAGS}
    doubt = ""
    if made is not None:
        doubt = "it was not there before the window"
    elif not case.findings:
        doubt = "the log does not show who wrote it"
    elif any(f.suspect and f.resource.lower() in own for f in case.findings):
        doubt = "a suspect wrote there in the window"
    if doubt:
        return Verdict(familiarity="unknown", reasons=(*verdict.reasons, f"its tag {tag} does not count: {doubt}"))
    return Verdict(familiarity="familiar", reasons=(f"it has the tag {tag}, and no suspect wrote it in the window",))
