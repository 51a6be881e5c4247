"""Read the runbook: what it says is what tests do."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from deploy.environment import ROOT

RUNBOOK: Final = ROOT / "deploy/docs/runbook.md"

_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Section(NamedTuple):
    """What to do about one alert."""

    name: str
    meaning: str
    commands: tuple[str, ...]
    """Those that look, each a line of shell."""
    cures: tuple[str, ...]
    """Scripts of shell."""
    text: str


def read_setup() -> str:
    """Return the script that an operator pastes first."""
    return _BLOCK.findall(_read())[0]


def read_links() -> list[str]:
    """Return where links lead."""
    return re.findall(r"\]\(([^)\s]+)\)", _read())


def read_tree() -> str:
    """Return what stands before all sections: what is seen, and where to go."""
    return _read().partition("\n## Clerkwork")[0]


def read_sections() -> dict[str, Section]:
    """Return all sections by the names of their alerts."""
    parts = _HEADING.split(_read())[1:]
    return {
        name: _read_section(name, text)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
        if name.startswith("Clerkwork")
    }


def _read_section(name: str, text: str) -> Section:
    before, cure, after = text.partition("\n**Cure.**")
    meaning = before.partition("```")[0].strip()
    looks = "".join(_BLOCK.findall(before)).splitlines()
    assert cure, name
    return Section(name, meaning, tuple(looks), tuple(_BLOCK.findall(after)), text)


def _read() -> str:
    return RUNBOOK.read_text("utf-8")
