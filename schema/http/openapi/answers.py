"""Show the answers of an operation: the good ones with their examples, the errors by code. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schema.http.openapi.codes import EVERYWHERE
from schema.http.pages.markup import Markup, join, link, prose, table, tag
from schema.http.pages.shapes import show_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schema.http.pages.markup import Node

_COMMON: Final = frozenset({"X-Request-ID", "Cache-Control", "RateLimit", "RateLimit-Policy"})
"""Headers that the introduction tells of once."""


def show_answers(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    """Return a table of them, and the examples."""
    shared = document["components"]["responses"]
    responses = {
        status: shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for status, each in operation["responses"].items()
    }
    return join(
        table(("status", "answer", "headers"), _rows(responses, document), class_="answers"),
        [
            show_example(media, f"{status}, {kind}")
            for status, response in responses.items()
            for kind, media in response.get("content", {}).items()
        ],
    )


def show_example(media: Mapping[str, Any], title: str) -> Markup:
    """Return the example of a body, folded; nothing where there is none."""
    if "example" not in media:
        return join()
    value = media["example"]
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return tag(
        "details",
        tag("summary", f"Example: {title}"),
        tag("pre", text, tabindex="0"),
    )


def link_code(code: str) -> Markup:
    """Return a link to what an error code stands for."""
    return link(f"/docs/errors#{code}", tag("code", code))


def _rows(responses: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[Node, ...]]:
    for status, response in responses.items():
        codes = _codes(response)
        if codes is None:
            what: Node = join(prose(response["description"]), _bodies(response))
        elif not codes:
            continue
        else:
            what = [
                tag("div", link_code(code), ": ", prose(_meaning(code, document))) for code in codes
            ]
        headers = [
            tag("div", tag("code", name)) for name in response["headers"] if name not in _COMMON
        ]
        yield tag("code", status), what, headers


def _codes(response: Mapping[str, Any]) -> list[str] | None:
    """Return the codes of an error that the page does not tell of elsewhere, None for no error."""
    for media in response.get("content", {}).values():
        if "examples" in media:
            return [code for code in media["examples"] if code not in EVERYWHERE]
    return None


def _bodies(response: Mapping[str, Any]) -> Iterator[Markup]:
    for kind, media in response.get("content", {}).items():
        yield tag("div", show_type(media["schema"]), f", {kind}")


def _meaning(code: str, document: Mapping[str, Any]) -> str:
    meaning: str = document["components"]["examples"][code]["summary"]
    return meaning
