"""The reference of errors: every code with its meaning, cause and recovery. Pure."""

from __future__ import annotations

from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Final

from schema.http.faults import FAULTS
from schema.http.pages.frame import build_frame
from schema.http.pages.markup import facts, link, prose, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schema.http.faults import Fault
    from schema.http.pages.markup import Markup

_INTRODUCTION: Final = (
    "Every error has the same shape. `code` is for programs and never changes its meaning;"
    " `message` is for people; `details`, where it is there, says more, such as the `field` that is"
    " wrong. `requestId` is also the header `X-Request-ID`: operators find the request by it."
)
_ENVELOPE: Final = """\
{
  "error": {
    "code": "INVALID_LIMIT",
    "message": "The limit is a number from 1 to 100.",
    "details": {"field": "limit"},
    "requestId": "8f14e45fceea167a5a36dedd4bea2543",
    "timestamp": "2026-01-31T12:00:00.000Z"
  }
}"""


def build_reference() -> str:
    """Return the page `/docs/errors`; each code is an anchor."""
    return build_frame(
        "Errors",
        tag("a", "To the codes", href="#codes", class_="skip"),
        tag(
            "header",
            tag("h1", "Errors"),
            tag("p", link("/docs", "All operations")),
            tag("p", prose(_INTRODUCTION)),
            tag("pre", _ENVELOPE),
        ),
        tag("nav", [_list(title, faults) for title, faults in _by_status()], class_="codes"),
        tag("main", [_section(title, faults) for title, faults in _by_status()], id="codes"),
    )


def write_reference() -> str:
    """Return the same as Markdown."""
    lines = ["# Errors", "", _INTRODUCTION, "", "```json", _ENVELOPE, "```", ""]
    for title, faults in _by_status():
        lines += [f"## {title}", "", "| code | what it means | cause | what to do |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| `{code}` | {fault.meaning} | {fault.cause} | {fault.recovery} |"
            for code, fault in faults.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _by_status() -> Iterator[tuple[str, dict[str, Fault]]]:
    """Yield `404 Not Found` and its codes."""
    ordered = sorted(FAULTS.items(), key=lambda item: item[1].status)
    for status, those in groupby(ordered, key=lambda item: item[1].status):
        yield f"{status} {HTTPStatus(status).phrase}", dict(those)


def _list(title: str, faults: dict[str, Fault]) -> Markup:
    codes = [tag("li", link(f"#{code}", tag("code", code))) for code in faults]
    return tag("section", tag("h2", title), tag("ul", codes))


def _section(title: str, faults: dict[str, Fault]) -> Markup:
    return tag("section", tag("h2", title), [_show(*each) for each in faults.items()])


def _show(code: str, fault: Fault) -> Markup:
    return tag(
        "article",
        tag("h3", link(f"#{code}", tag("code", code))),
        facts(
            [
                ("meaning", prose(fault.meaning)),
                ("cause", prose(fault.cause)),
                ("what to do", prose(fault.recovery)),
            ]
        ),
        id=code,
    )
