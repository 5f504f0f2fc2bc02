"""What is deployed: enough to run, and nothing that is not for Azure."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.infra.package import built, clean_python, contents
from tests.npm import Unavailable

READ = """
import json, sys
sys.path.insert(0, sys.argv[1])
from function_app import app
names = sorted(f.get_function_name() for f in app.get_functions())
from responders import actions, azure, evidence, services
from playbooks import run
strays = sorted(m for m, v in sys.modules.items() if m.partition('.')[0] in ('responders', 'playbooks', 'function_app')
                and not (getattr(v, '__file__', None) or sys.argv[1]).startswith(sys.argv[1]))
print(json.dumps({"names": names, "strays": strays}))
"""


def test_only_what_runs_is_deployed() -> None:
    found = contents()
    assert {path.partition("/")[0] for path in found} == {
        "function_app.py",
        "host.json",
        "playbooks",
        "requirements.txt",
        "responders",
    }
    assert not [path for path in found if "__pycache__" in path or path.endswith((".md", ".env"))]


def test_it_is_imported_by_a_python_that_has_the_requirements_alone(tmp_path: Path) -> None:
    try:
        python = clean_python()
    except Unavailable as error:
        pytest.skip(str(error))
    package = built(tmp_path / "package")
    command = [str(python), "-I", "-c", READ, str(package)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["strays"] == []
    assert {"alerts", "on_event", "incident", "playbook"} <= set(said["names"])


def test_every_module_of_it_is_imported_with_the_requirements_alone(tmp_path: Path) -> None:
    """Also those that are loaded when first used: what a run needs must not be missing when it comes to it."""
    try:
        python = clean_python()
    except Unavailable as error:
        pytest.skip(str(error))
    package = built(tmp_path / "package")
    files = [p for p in contents() if p.endswith(".py") and not p.endswith("__main__.py")]
    modules = [p.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for p in files]
    read = "import sys, importlib; sys.path.insert(0, sys.argv[1]); [importlib.import_module(m) for m in sys.argv[2:]]"
    command = [str(python), "-I", "-c", read, str(package), *modules]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
