"""Compile a folder of Sigma rules, for the setting COUNTERSIGN_RULES.

    python -m playbooks.detections FOLDER    write FOLDER/rules.json

Exit status: 0 all rules are in it, 1 some were refused (the reasons are printed), 2 called wrongly.
"""

import argparse
import sys
from pathlib import Path

from playbooks.detections.compiling import book, encoded
from responders.investigation.rules import COMPILED


def main(arguments: list[str] | None = None) -> int:
    """Compile."""
    parser = argparse.ArgumentParser(
        prog="python -m playbooks.detections", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    if not folder.is_dir():
        parser.error(f"{folder} is no folder")
    made = book(folder)
    (folder / COMPILED).write_text(encoded(made), encoding="utf-8")
    for line in made.refused:
        print(f"refused: {line}", file=sys.stderr)
    print(f"{len(made.rules)} rules compiled, {len(made.refused)} files refused: {folder / COMPILED}")
    return 1 if made.refused else 0


if __name__ == "__main__":
    sys.exit(main())
