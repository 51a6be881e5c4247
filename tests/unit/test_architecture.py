"""The tree keeps its rules: who imports whom, and whose names are taken."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "schema": {"schema"},
    "ingest": {"ingest", "schema"},
    "workers": {"workers", "schema"},
    "api": {"api", "schema"},
    "deploy": {"deploy", "ingest", "workers", "api", "schema"},
}
VISIBLE = {
    *MAY_IMPORT,
    "tests",
    "pyproject.toml",
    "docker-compose.yml",
    "README.md",
    "LICENSE",
    "requirements.lock",
}
JUNK_DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "core", "manager", "lib"}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imported(module: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(module.read_text())))
    plain = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_never_go_sideways(package: str) -> None:
    """Services know `schema` and themselves; only `deploy` knows them all."""
    ours = {str(m): _imported(m) & MAY_IMPORT.keys() for m in _modules(package)}

    assert {m: found for m, found in ours.items() if found - MAY_IMPORT[package]} == {}


def test_no_other_distribution_owns_our_names() -> None:
    """`schema`, `api` and `workers` exist as packages of other people; none is installed."""
    owners = importlib.metadata.packages_distributions()

    assert {n: owners[n] for n in MAY_IMPORT if set(owners.get(n, [])) - {"clerkwork"}} == {}


def test_the_top_level_is_what_the_design_says() -> None:
    """Nothing visible at the root but the packages, the tests and the few files."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607  # whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}

    assert {name for name in top if not name.startswith(".")} <= VISIBLE


def test_modules_are_named_after_what_they_are() -> None:
    """No junk drawers, and no module over 300 lines but what is generated and what is history."""
    modules = [m for package in MAY_IMPORT for m in _modules(package)]
    long = {m for m in modules if len(m.read_text().splitlines()) > 300}

    assert {m.name for m in modules if m.stem in JUNK_DRAWERS} == set()
    assert {m.name for m in long if m.parent.name != "versions"} <= {"rows.py"}


def test_every_suppression_has_a_reason() -> None:
    """Whoever silences a linter says why, on the same line or, for a whole file, above it."""
    bare = re.compile(r"(?:noqa: [A-Z0-9, ]+|ignore\[[A-Za-z-, ]+\])$")
    modules = [m for package in [*MAY_IMPORT, "tests"] for m in _modules(package)]
    lines = [
        (str(module.relative_to(ROOT)), line)
        for module in modules
        for line in module.read_text().splitlines()
        if bare.search(line) and not line.startswith("#")
    ]

    assert lines == []
