"""Read a how-to page: what it says is what tests do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)


def read_procedures(page: Path) -> dict[str, tuple[str, ...]]:
    """Return the scripts of shell below each heading, in their order."""
    parts = _HEADING.split(page.read_text("utf-8"))[1:]
    return {
        name: tuple(_BLOCK.findall(text))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
