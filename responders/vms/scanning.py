"""Where a scan of a machine lies, what it came to, and whether there was one of the system that the machine has now.

A scan is a run command of the machine, named by the incident and by the machine's system: after a rebuild there is
another system, and nothing is known of it. The run command stays as the scan's record.
"""

import base64
import binascii
from typing import TYPE_CHECKING

from responders.model import Json, digest
from responders.vms import commands, rebuilt

if TYPE_CHECKING:
    from responders.azure import Azure
    from responders.model import Case
    from responders.vms.machine import Machine

HOURS = 12  # of a full scan, at most
SCANNERS = {
    "mdatp": "Microsoft Defender for Endpoint",
    "clamav": "ClamAV",
    "defender": "Microsoft Defender Antivirus",
    "none": "",
}
_SHOWN = 5  # of what was found, in a sentence


async def name(azure: "Azure", vm: "Machine", case: "Case") -> str:
    """The name of the run command that scans the machine's system of now for this incident."""
    system = await rebuilt.system(azure, vm, case.since)
    return f"{commands.PREFIX}scan-{digest([case.incident, vm.vm_id, system])[:12]}"


async def last(azure: "Azure", vm: "Machine", case: "Case") -> Json | None:
    """What the scan of the machine's system of now came to, as `result` has it; None where there was none."""
    command = await commands.read(azure, f"{vm.id}/runCommands/{await name(azure, vm, case)}")
    return result(command) if command and commands.over(command) else None


def result(command: Json) -> Json:
    """What a scan came to, from a run command that is over.

    {"scanner", "version", "found": how many, "threats": [{"name", "path"}], "excluded": [paths not looked at],
    "why": why there is no result, or ""}. All of it was written by the machine: text from outside.
    """
    view = commands.view(command)
    state, error = view.get("executionState"), " ".join(str(view.get("error") or "").split())[:200]
    nothing: Json = {"scanner": "", "version": "", "found": 0, "threats": [], "excluded": [], "why": ""}
    if state == "TimedOut":
        return {**nothing, "why": f"it took longer than {HOURS} hours, and was ended"}
    found = _read(str(view.get("output") or ""))
    if found is None:
        return {**nothing, "why": f"it came to no result ({state}{': ' + error if error else ''})"}
    if found["scanner"] == "none":
        found["why"] = "there is no scanner on the machine"
    return {**nothing, **found}


def clean(result: Json) -> bool:
    """Whether a scan looked at all, and found nothing."""
    return not (result["why"] or result["found"] or result["excluded"])


def told(result: Json) -> str:
    """What a scan came to, in a sentence."""
    if result["why"]:
        return f"The scan says nothing: {result['why']}."
    by = f"{SCANNERS[result['scanner']]} ({result['version']})"
    names = [f"{threat['name']} in {threat['path']!r}" for threat in result["threats"][:_SHOWN]]
    more = result["found"] - len(names)
    what = "; ".join([*names, *([f"and {more} more"] if more > 0 else [])])
    said = f"{by} found {result['found']} threat(s): {what}." if result["found"] else f"{by} found nothing."
    if result["excluded"]:
        said += f" It was told not to look at {', '.join(map(repr, result['excluded']))}."
    return said


def _read(output: str) -> Json | None:
    """What the scripts print, taken apart; None for what they never print."""
    found: Json = {"threats": [], "excluded": []}
    try:
        for line in output.splitlines():
            word, *rest = line.split()
            if word in {"scanner", "found"}:
                found[word] = int(rest[0]) if word == "found" else rest[0]
            elif word == "threat":
                found["threats"].append({"name": _text(rest[0]), "path": _text(rest[1]) if rest[1:] else ""})
            elif word == "excluded":
                found["excluded"].append(_text(rest[0]))
            elif word == "version":
                found["version"] = _text(rest[0])
            elif word == "end" and found.get("scanner") in SCANNERS:
                return found
    except (IndexError, ValueError):
        return None
    return None


def _text(encoded: str) -> str:
    """A word of the script's output. Raises ValueError for what it never prints."""
    try:
        plain = base64.b64decode(encoded, validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ValueError(encoded) from error
    return "".join(c if c.isprintable() else "?" for c in plain)
