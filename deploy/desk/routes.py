"""What the desk answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.desk import letter, letters, lines, operations, sign_in
from deploy.desk.event import show_event
from deploy.desk.events import list_events
from deploy.desk.pipeline import show_pipeline
from schema.http.endpoints import Answer, Endpoint

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_PAGE: Final = {200: Answer(description="A page", content_type="text/html")}
_LINE: Final = "/lines/{topic}/{partition}/release"
_LETTER: Final = "/letters/{topic}/{partition}/{offset}"


def _at(method: str, path: str, handler: Handler, *, open_: bool = False) -> Endpoint:
    name: str = getattr(handler, "__name__", "")
    return Endpoint(
        method=method,
        path=path,
        name=name,
        summary=(handler.__doc__ or "").partition("\n")[0],
        answers=_PAGE,
        signed_in=not open_,
        handler=handler,
    )


ENDPOINTS: Final = (
    _at("GET", "/", show_pipeline),
    _at("GET", "/events", list_events),
    _at("GET", "/events/{event_id}", show_event),
    _at("GET", "/letters", letters.list_letters),
    _at("GET", "/letters/plan", letters.plan_letters),
    _at("POST", "/letters/replay", letters.replay_letters),
    _at("POST", "/letters/purge", letters.purge_letters),
    _at("GET", _LETTER, letter.show_letter),
    _at("POST", f"{_LETTER}/reveal", letter.reveal_letter),
    _at("POST", f"{_LETTER}/edit", letter.edit_letter),
    _at("GET", _LINE, lines.plan_release),
    _at("POST", _LINE, lines.release_line),
    _at("GET", "/operations", operations.list_operations),
    _at("GET", "/operations/{id}", operations.show_operation),
    _at("GET", "/operations/{id}/progress", operations.show_progress),
    _at("POST", "/operations/{id}/resume", operations.resume_operation),
    _at("GET", "/audit", operations.list_audit),
    _at("GET", "/sign-in", sign_in.show_sign_in, open_=True),
    _at("POST", "/sign-in", sign_in.sign_in, open_=True),
    _at("POST", "/sign-out", sign_in.sign_out),
    _at("POST", "/sign-in/codes", sign_in.make_code, open_=True),
)
"""Who is no administrator may ask only for what is `open_`: those look for themselves."""
