"""How the console refuses: in words for the operator, never with a traceback."""

from __future__ import annotations


class OperatorError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def is_expected(error: BaseException) -> bool:
    """Tell whether the message of `error` is all that the operator needs."""
    # Only where something failed already: importing the stack takes longer than --help may.
    from deploy.stack import StackError  # noqa: PLC0415
    from deploy.topics import TopicError  # noqa: PLC0415

    return isinstance(error, OperatorError | StackError | TopicError)
