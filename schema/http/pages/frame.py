"""What every page has around it: the head, the one style, and the headers that allow no more."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schema.http.pages.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.http.pages.markup import Node

STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
"""The pages' only style; they are served with a policy that allows it by its hash."""

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Nothing runs on a page and nothing is fetched for it."""

_HEAD: Final = Markup(
    '<meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<style>{STYLE}</style>"
)


def build_frame(title: str, *nodes: Node) -> str:
    """Return a whole page that shows the nodes."""
    head = tag("head", _HEAD, tag("title", title))
    return f'<!doctype html>\n<html lang="en">{head}{tag("body", *nodes)}</html>\n'
