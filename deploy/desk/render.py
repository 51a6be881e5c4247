"""Render pages: view models in, HTML out; whatever is text is escaped."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.desk.models.frame import Frame

PAGES: Final = Path(__file__).with_name("pages")
STATIC: Final = Path(__file__).with_name("static")

_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60))


def build_environment(static: Mapping[str, str]) -> Environment:
    """Return what renders the pages; `static` is the address of each static file."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"ago": ago, "iso": iso, "moment": moment, "span": span, "count": count}
    environment.globals["static"] = static.__getitem__
    return environment


def render(environment: Environment, name: str, *, page: Any, frame: Frame) -> str:
    """Return the page that the template makes of a view model."""
    return environment.get_template(name).render(page=page, frame=frame)


def read_static() -> Mapping[str, tuple[str, bytes]]:
    """Return name -> address and content of each static file; what changes has another address."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(STATIC.iterdir()):
        content = path.read_bytes()
        version = hashlib.sha256(content).hexdigest()[:12]
        found[path.name] = (f"/static/{path.name}?v={version}", content)
    return found


def iso(at: datetime) -> str:
    """Return a time for machines: the attribute `datetime` of HTML."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(at: datetime) -> str:
    """Return a time for people, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(at: datetime, now: datetime) -> str:
    """Return how long before `now` that was."""
    return f"{span(max(0.0, (now - at).total_seconds()))} ago"


def span(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def count(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,.0f}"
