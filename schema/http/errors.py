"""The error envelope: one shape for every failure of every HTTP service.

{"error": {"code", "message", "details"?, "requestId", "timestamp"}}
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import web

from schema.http.faults import FAULTS
from schema.http.request_ids import HEADER, REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

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

_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


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


def from_aiohttp(error: web.HTTPException) -> HttpError:
    """Return what an error of aiohttp's own is called here."""
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    phrase = HTTPStatus(error.status).phrase
    return HttpError(CODES.get(error.status, "BAD_REQUEST"), f"{phrase}.", headers=headers)


def raw_answer(error: HttpError, *, request_id: str, headers: Mapping[str, str]) -> bytes:
    """Return the whole answer as it goes over the wire, where there is no request to answer."""
    response = error_response(error, request_id=request_id)
    body = response.body if isinstance(response.body, bytes) else b""
    lines = {
        **headers,
        **error.headers,
        HEADER: request_id,
        "Content-Type": response.headers["Content-Type"],
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + body


def judge_target(target: str) -> HttpError | None:
    """Return what is wrong with the path of a request's `target`, None where it can be read."""
    path = target.partition("?")[0]
    if path.isascii() and "%" not in path:
        return None
    message = "The path has an escape that is none."
    if not _BROKEN_ESCAPE.search(path):
        try:
            # What is no UTF-8 on the wire comes as surrogates, which cannot be encoded.
            unquote_to_bytes(path.encode()).decode()
        except UnicodeError:
            message = "The path is not UTF-8."
        else:
            return None
    return HttpError("BAD_REQUEST", message, details={"field": "path"})


def answer_failure(request: web.Request, error: Exception) -> web.Response:
    """Answer what a handler raised with the envelope; what nobody foresaw is logged and a 500.

    Raises `error` where it is no failure, such as a redirect.
    """
    if isinstance(error, HttpError):
        failure = error
    elif isinstance(error, web.HTTPException):
        if error.status < 400:
            raise error
        # Where a route knows the path, its handler names the part that cannot be read.
        broken = judge_target(request.raw_path) if error.status == 404 else None
        failure = broken or from_aiohttp(error)
    elif isinstance(error, web.RequestPayloadError):
        failure = HttpError("BAD_REQUEST", "The body is broken.", headers={"Connection": "close"})
    elif isinstance(error, ConnectionError) and request.transport is None:
        failure = HttpError("BAD_REQUEST", "The client has gone.")  # nothing of ours failed
    else:
        log.error("unexpected_error", route=request.path, exc_info=error)
        failure = HttpError("INTERNAL_ERROR", "Something went wrong on our side.")
    return error_response(failure, request_id=request[REQUEST_ID])
