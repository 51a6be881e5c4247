"""Write HTML whose every text is escaped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias, Union

Node: TypeAlias = Union[str, "Markup", Iterable["Node"]]
"""Text, finished HTML, or several of both."""

_CODE: Final = re.compile(r"`([^`]+)`")


class Markup(str):
    """HTML that is finished: only this module, and constants, are to make any."""

    __slots__ = ()


def join(*nodes: Node) -> Markup:
    """Return the nodes one after the other, their text escaped."""
    return Markup("".join(map(_write, nodes)))


def tag(name: str, *nodes: Node, **attributes: str) -> Markup:
    """Return an element that holds the nodes; `class_` is the attribute `class`."""
    written = "".join(
        f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Markup(f"<{name}{written}>{join(*nodes)}</{name}>")


def link(target: str, *nodes: Node) -> Markup:
    """Return a link; the target is ours, a fragment or a path."""
    return tag("a", *nodes, href=target)


def prose(text: str) -> Markup:
    """Return text in which `code` stands between backticks."""
    parts = _CODE.split(text)
    return join(tag("code", part) if index % 2 else part for index, part in enumerate(parts))


def facts(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Return a list of names and what is said of each."""
    return tag("dl", [(tag("dt", name), tag("dd", node)) for name, node in pairs])


def table(titles: Iterable[str], rows: Iterable[Iterable[Node]], *, class_: str = "") -> Markup:
    """Return a table with a head."""
    head = tag("thead", tag("tr", [tag("th", title, scope="col") for title in titles]))
    body = tag("tbody", [tag("tr", [tag("td", c) for c in r]) for r in rows])
    return tag("table", head, body, class_=class_)


def _write(node: Node) -> str:
    if isinstance(node, Markup):
        return node
    if isinstance(node, str):
        return escape(node)
    return join(*node)
