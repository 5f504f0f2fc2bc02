"""Who may import which SDK. The layers among our own packages are import-linter's (pyproject.toml)."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "function_app.py", *(ROOT / "responders").rglob("*.py"), *(ROOT / "playbooks").rglob("*.py")]
FUNCTIONS = ("azure.functions", "azure.durable_functions")


def imported(source: Path) -> set[str]:
    """What a module imports when it runs; what is for the type checker alone is left out."""
    tree = ast.parse(source.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def using(*prefixes: str) -> set[str]:
    """The modules that import something of these packages."""
    return {
        str(source.relative_to(ROOT))
        for source in SOURCES
        if any(name == p or name.startswith(p + ".") for name in imported(source) for p in prefixes)
    }


def test_only_one_package_speaks_to_azure() -> None:
    speaking = using("azure.core", "azure.identity", "azure.mgmt", "azure.monitor")

    assert {str(Path(module).parent) for module in speaking} == {"responders/azure"}


def test_only_the_edge_knows_azure_functions() -> None:
    edge = {
        "function_app.py",
        "playbooks/run.py",
        "playbooks/durable.py",
        "playbooks/versions.py",
        "responders/web/http.py",
    }

    assert using(*FUNCTIONS) == edge


def test_only_evidence_knows_its_store() -> None:
    assert using("obstore") == {"responders/evidence.py"}


def test_what_is_imported_at_cold_start_holds_no_sdk_of_azure() -> None:
    for source in SOURCES:
        top = {
            alias.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.parse(source.read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        late = ("azure.core", "azure.identity", "azure.mgmt", "aiohttp", "obstore")
        assert not [name for name in top if name.startswith(late)], source
