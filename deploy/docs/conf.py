"""How Sphinx makes a site of these pages: `.venv/bin/python -m sphinx -W deploy/docs SITE`.

A link to a file of the repository outside this folder becomes the file's path there, or, with
`-D repository=https://…/blob/main`, a link to it.
"""
# ruff: noqa: INP001  # not a package: Sphinx reads it as a file

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "clerkwork"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
# Headings are linked to as GitHub makes their anchors, so that a link works in both.
myst_heading_anchors = 4

_DOCS = Path(__file__).parent
_ROOT = _DOCS.parents[1]
_OUTWARD = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")


def point_outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn the links of a page that lead out of this folder to what they name."""
    folder = (_DOCS / docname).parent

    def name(link: re.Match[str]) -> str:
        target, _, anchor = link[2].partition("#")
        path = (folder / target).resolve()
        if path.is_relative_to(_DOCS):
            return link[0]
        place = path.relative_to(_ROOT).as_posix()
        if app.config.repository:
            end = f"#{anchor}" if anchor else ""
            return f"[{link[1]}]({app.config.repository}/{place}{end})"
        return link[1] if place in link[1] else f"{link[1]} (`{place}`)"

    source[0] = _OUTWARD.sub(name, source[0])


def setup(app: Sphinx) -> None:
    """Add what is ours to Sphinx."""
    app.add_config_value("repository", "", "env", str)
    app.connect("source-read", point_outside)
