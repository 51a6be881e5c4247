"""The threat model: every threat has a mitigation and a test, and what it names is there."""

from __future__ import annotations

import re
from typing import Final

from deploy.environment import ROOT
from deploy.reference.settings import PROCESSES

PAGE: Final = ROOT / "deploy/docs/security.md"
_LINK: Final = re.compile(r"\[[^\]]+\]\(([^)#]*)(#[^)]*)?\)")


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table below a title."""
    text = PAGE.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_threat_is_kept_off_and_tested() -> None:
    """By tests that are there; a row in bold is a heading."""
    threats = [row for row in rows("Threats") if not row[0].startswith("**")]
    tests = [[link for link, _ in _LINK.findall(test)] for _, _, test in threats]

    assert len(threats) > 30
    assert [
        threat
        for (threat, kept_off, _), found in zip(threats, tests, strict=True)
        if not kept_off or not found
    ] == []
    paths = [(PAGE.parent / link).resolve() for found in tests for link in found]
    assert [str(path) for path in paths if not path.is_file()] == []
    assert {path.relative_to(ROOT).parts[0] for path in paths} == {"tests"}


def test_the_settings_that_harden_are_settings() -> None:
    """Each name in capitals is a variable that some process reads."""
    known = {name.upper() for each in PROCESSES.values() for name in each.model_fields}
    named = {
        name
        for row in rows("Settings that harden")
        for name in re.findall(r"[A-Z]+_[A-Z_]+", row[0])
    }

    assert len(named) > 8
    assert named <= known | {"SASL_SSL"}


def test_its_other_links_lead_somewhere() -> None:
    """To pages beside it, and to its own sections."""
    text = PAGE.read_text()
    titles = {
        f"#{title.lower().replace(' ', '-')}"
        for title in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }

    for page, section in _LINK.findall(text):
        assert not page or (PAGE.parent / page).is_file(), page
        assert not section or page or section in titles, section
