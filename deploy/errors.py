"""How the console refuses: in words for the operator, never with a traceback."""

from __future__ import annotations


class OperatorError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def explain(error: BaseException) -> str | None:
    """Return all that the operator needs to know, None for an error that nobody foresaw."""
    # Only where something failed already: importing the stack takes longer than --help may.
    from deploy.stack import StackError  # noqa: PLC0415
    from deploy.topics import TopicError  # noqa: PLC0415

    if isinstance(error, BaseExceptionGroup):
        reasons = [explain(each) for each in error.exceptions]
        return None if None in reasons else "\n".join(str(reason) for reason in reasons)
    return str(error) if isinstance(error, OperatorError | StackError | TopicError) else None
