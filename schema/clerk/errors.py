"""What asking Clerk may come to.

ClerkError
├── ClerkUnavailableError    not now
├── ClerkRefusedError        not like this
└── NotAtClerkError          there is no such thing
"""

from __future__ import annotations

from typing import Final

_KEY_REFUSED: Final = frozenset({401, 403})


class ClerkError(Exception):
    """Clerk did not give what was asked for; the message says why, without anybody's data."""


class ClerkUnavailableError(ClerkError):
    """Not now: Clerk did not answer, or asked us to wait for longer than we may."""

    def __init__(self, message: str = "Clerk does not answer; try again later") -> None:
        super().__init__(message)


class ClerkRefusedError(ClerkError):
    """Clerk understood and refused: a wrong key, or a question that it does not take."""

    def __init__(self, status: int, code: str | None = None) -> None:
        """`code`: the first of Clerk's own error codes, where it gave one."""
        said = f"Clerk answered {status}{f' ({code})' if code else ''}"
        super().__init__(
            f"CLERK_SECRET_KEY is not accepted: {said}" if status in _KEY_REFUSED else said
        )
        self.status = status
        self.of_key = status in _KEY_REFUSED
        """Whether it is the key that is refused, not the question."""
        self.code = code


class NotAtClerkError(ClerkError):
    """Clerk has no such thing. `clock_ms` is what its clock said then."""

    def __init__(self, clock_ms: int) -> None:
        super().__init__("Clerk has no such thing")
        self.clock_ms = clock_ms
