"""How Clerk refuses: a status and an error with a code.

https://clerk.com/docs/guides/development/errors/overview
"""

from __future__ import annotations

from typing import Any

import msgspec


class RefusedError(Exception):
    """The request is not answered with what it asked for."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        parameter: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.parameter = parameter
        self.retry_after_s = retry_after_s

    def body(self) -> bytes:
        """Return Clerk's envelope of errors."""
        error: dict[str, Any] = {
            "message": str(self),
            "long_message": str(self),
            "code": self.code,
        }
        if self.parameter is not None:
            error["meta"] = {"param_name": self.parameter}
        trace_id = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
        return msgspec.json.encode({"errors": [error], "clerk_trace_id": trace_id})


def invalid(parameter: str, message: str) -> RefusedError:
    """Return the 422 about a parameter."""
    return RefusedError(422, "form_param_value_invalid", message, parameter=parameter)


def absent() -> RefusedError:
    """Return the 404 about what is not there."""
    return RefusedError(404, "resource_not_found", "Resource not found")
