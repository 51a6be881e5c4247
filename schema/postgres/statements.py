"""Named SQL statements, read once from the `.sql` file beside the module that runs them.

-- name: upsert_users
-- What it does, in a line.
INSERT INTO …
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_statements(module_file: str) -> Mapping[str, str]:
    """Return name -> statement from the `.sql` file beside `module_file` (pass `__file__`)."""
    parts = _NAME.split(Path(module_file).with_suffix(".sql").read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))
