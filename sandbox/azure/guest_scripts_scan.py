"""What responders/vms/scripts/scan.ps1 does in a Windows guest."""

import base64
from typing import Any

from sandbox.azure.guest_powershell import Run, equivalent

Json = dict[str, Any]

_VERSION = "4.18.25110.6 signatures 1.443.120.0"


@equivalent("bd813424926b5dc0be81ffe412b7eb294c5279ef616b35951ca37b72307870cb", "scan.ps1")
def scan(run: Run) -> str:
    """A full scan with Defender: what it was told to pass over, and all that it ever found."""
    if run.guest["scanner"] != "defender":
        return "scanner none\nend\n"
    lists = run.guest["exclusions"]
    excluded = [text for name in ("paths", "extensions", "processes") for text in lists[name]]
    run.scan()
    found = run.guest["threats"]
    lines = ["scanner defender", f"version {_line(_VERSION, 80)}"]
    lines += [f"excluded {_line(text, 120)}" for text in excluded[:5]]
    lines += [f"found {len(found)}"]
    lines += [f"threat {_line(t['name'], 48)} {_line('file:_' + t['path'], 160)}" for t in found[:12]]
    return "\n".join([*lines, "end", ""])


def _line(text: str, most: int) -> str:
    return base64.b64encode(text[:most].encode()).decode()
