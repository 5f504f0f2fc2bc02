"""Write what is made from other files, into the documents or as files of their own, or say what is stale.

python -m docs.generate            write
python -m docs.generate --check    exit 1, with the difference, when something is not current
"""

import difflib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from docs import dangers, parameters, rights
from playbooks import catalogue
from playbooks.detections import compiling
from responders.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent


def settings() -> str:
    """The settings as a table: each field's comment is its documentation."""
    source = inspect.getsource(Settings)
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for field in msgspec.structs.fields(Settings):
        found = re.search(rf"((?:    # [^\n]*\n)+)    {field.name}: ", source)
        comment = " ".join(line.strip("# ") for line in found[1].strip().splitlines()) if found else ""
        rows.append(f"| `{PREFIX}{field.name.upper()}` | {_default(field)} | {comment} |")
    return "\n".join(rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, timedelta):
        return f"`{msgspec.to_builtins(value)}`"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value}`" if value else ""


def demo() -> str:
    """What `make demo` prints, with what differs from run to run left out."""
    command = [sys.executable, "-m", "sandbox", "demo", "--plain"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    printed = re.sub(r"\b[0-9a-f]{20}\b", "<incident>", printed)
    printed = re.sub(r"\b[0-9a-f]{12}…", "<digest>", printed)
    printed = re.sub(r"\b\d+\.\d s\b", "<seconds>", printed)
    # Graph tells the end of sessions in seconds: of two within one, the later is asked for once more.
    printed = re.sub(r"\b\d+ calls to Azure", "<count> calls to Azure", printed)
    printed = re.sub(r"(\b\d{4}-\d\d-\d\d )?\b\d\d:\d\d\b( UTC)?", "<time>", printed)
    return f"```text\n{printed.strip()}\n```"


def help_text() -> str:
    """What `make help` prints."""
    printed = subprocess.run(["make", "--silent", "help"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return f"```text\n{printed.stdout.strip()}\n```"


PARTS: dict[str, Callable[[], str]] = {
    "actions": catalogue.markdown,
    "detections": compiling.markdown,
    "settings": settings,
    "demo": demo,
    "make": help_text,
    "rights": rights.table,
    "exceptions": rights.exceptions,
    "dangers": dangers.table,
    "parameters": lambda: parameters.table("main.bicep"),
    "parameters_protect": lambda: parameters.table("protect.bicep"),
    "parameters_above": lambda: parameters.table("protect-management-group.bicep"),
}


def current(text: str) -> str:
    """The document with every marked part made anew."""
    for name in re.findall(r"<!-- made: (\w+) -->", text):
        start, end = f"<!-- made: {name} -->", f"<!-- end: {name} -->"
        before, _, rest = text.partition(start)
        old, _, after = rest.partition(end)
        new = PARTS[name]()
        # What the demo does side by side ends in either order: the same lines are no news.
        if name == "demo" and sorted(old.split("\n")) == sorted(f"\n{new}\n".split("\n")):
            continue
        text = f"{before}{start}\n{new}\n{end}{after}"
    return text


def files() -> dict[Path, str | None]:
    """Every file that is made, or has parts that are, and what it should hold; None is what should not be there."""
    documents = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    return {**{path: current(path.read_text()) for path in documents}, **compiling.files(), **rights.files()}


def main() -> int:
    """Write, or check."""
    stale = False
    for path, new in files().items():
        old = path.read_text() if path.exists() else None
        if new == old:
            continue
        stale = True
        if "--check" in sys.argv:
            name = str(path.relative_to(ROOT))
            lines = [(text or "").splitlines(keepends=True) for text in (old, new)]
            sys.stdout.writelines(difflib.unified_diff(*lines, name, "made anew"))
        elif new is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(new)
    if stale and "--check" in sys.argv:
        sys.stdout.write("\nSomething that is made is stale. Write it with: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
