"""The error envelope: one shape for every failure of every HTTP service.

{"error": {"code", "message", "details"?, "requestId", "timestamp"}}
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from schema.http.faults import FAULTS
from schema.http.request_ids import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

CODES: Final[Mapping[int, str]] = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    417: "EXPECTATION_FAILED",
}
"""The codes of errors that aiohttp itself raises."""


class HttpError(Exception):
    """A failure that the caller is told; its code, one of FAULTS, knows the status."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = FAULTS[code].status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}


def error_response(error: HttpError, *, request_id: str) -> web.Response:
    """Put `error` into the envelope."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = dict(error.details)
    body["requestId"] = request_id
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    body["timestamp"] = now.replace("+00:00", "Z")
    return web.json_response({"error": body}, status=error.status, headers=error.headers)


def _from_aiohttp(error: web.HTTPException) -> HttpError:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    phrase = HTTPStatus(error.status).phrase
    return HttpError(CODES.get(error.status, "BAD_REQUEST"), f"{phrase}.", headers=headers)


@web.middleware
async def envelope_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every exception with the envelope; what nobody foresaw is logged and a 500."""
    try:
        return await handler(request)
    except HttpError as error:
        failure = error
    except web.HTTPException as error:
        if error.status < 400:
            raise
        failure = _from_aiohttp(error)
    except Exception:
        log.exception("unexpected_error", route=request.path)
        failure = HttpError("INTERNAL_ERROR", "Something went wrong on our side.")
    return error_response(failure, request_id=request[REQUEST_ID])
