"""Read the pages of documentation as a reader's program does: their links, anchors, commands."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from markdown_it import MarkdownIt
from myst_parser.mdit_to_docutils.base import default_slugify

from deploy.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from markdown_it.token import Token

README: Final = ROOT / "README.md"
DOCS: Final = ROOT / "deploy/docs"
PAGES: Final = (README, *sorted(DOCS.rglob("*.md")))
_ELSEWHERE: Final = re.compile(r"[a-z]+:")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


@cache
def read_page(page: Path) -> tuple[Token, ...]:
    """Return the page as Markdown's tokens, those within lines included."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        found += [token, *(token.children or ())]
    return tuple(found)


def links_of(page: Path) -> Iterator[str]:
    """Yield where links and pictures lead that stay within the repository."""
    for token in read_page(page):
        to = token.attrGet("href" if token.type == "link_open" else "src")
        if token.type in {"link_open", "image"} and not _ELSEWHERE.match(str(to)):
            yield str(to)


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    tokens = read_page(page)
    return frozenset(
        default_slugify("".join(each.content for each in after.children or ()))
        for token, after in pairwise(tokens)
        if token.type == "heading_open"
    )


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [
        Block(token.info.strip(), token.content)
        for token in read_page(page)
        if token.type == "fence"
    ]


def leads_somewhere(page: Path, link: str) -> bool:
    """Tell whether a link's file is there, and the heading too where it names one."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors_of(target)
