"""How the console refuses: in words for the operator, never with a traceback.

OperatorError
├── AclError      Kafka refused to tell or to change its ACLs
├── StackError    an embedded server or one of our processes cannot run here
└── TopicError    Kafka refused to create or change a topic

What Clerk refused it says too: `schema/clerk/errors.py`, and which variable has a bad file:
`schema/ops/variables.py`.
"""

from __future__ import annotations

from schema.clerk.errors import ClerkError
from schema.ops.variables import VariableError


class OperatorError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def explain(error: BaseException) -> str | None:
    """Return all that the operator needs to know, None for an error that nobody foresaw."""
    if isinstance(error, BaseExceptionGroup):
        reasons = [explain(each) for each in error.exceptions]
        return None if None in reasons else "\n".join(str(reason) for reason in reasons)
    return str(error) if isinstance(error, OperatorError | ClerkError | VariableError) else None
