"""The one way in which the embedded Kafka and PostgreSQL refuse."""

from deploy.errors import OperatorError


class StackError(OperatorError):
    """Kafka, PostgreSQL or one of our processes cannot run here.

    The message is for the operator: it says what is wrong, quotes the last log lines where
    there are any, and says what to do.
    """
