"""Known good, or not, and why. What could not be found out is `unknown`, and is left for a person."""

from datetime import datetime

from responders.model import Case, Finding, Verdict


def judge(case: Case, maker: str | None, made: datetime | None, deed: Finding | None = None) -> Verdict:
    """Judge a thing by who made it (object id or principal name), when, and, as far as the log tells, from where."""
    if not maker or made is None:
        return Verdict(familiarity="unknown", reasons=("Azure does not say who made it, or when",))
    when = f"{made:%Y-%m-%d %H:%M} UTC"
    if made < case.since:
        return Verdict(familiarity="familiar", reasons=(f"made {when}, before the window",))
    suspect = case.suspect(maker, made)
    if suspect is None:
        return Verdict(familiarity="unknown", reasons=(f"made {when}, in the window, by {maker}, who is no suspect",))
    name = suspect.upn or suspect.name or suspect.id
    elsewhere = case.alert.addresses and deed and deed.address not in case.alert.addresses
    if elsewhere and deed and deed.usual:
        # A stolen session does not stop its owner from working: what he may have done himself is for a person to judge.
        why = f"made {when}, in the window, by {name}, but from {deed.address}, a network that he used before"
        return Verdict(familiarity="unknown", reasons=(why,))
    return Verdict(familiarity="unfamiliar", reasons=(f"made {when}, in the window, by the suspect {name}",))
