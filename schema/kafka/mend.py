"""Mend aiokafka for uvloop: a write to a connection that has just been lost.

asyncio takes such a write in silence, and aiokafka then learns of the loss from its reader. uvloop
raises RuntimeError, for which aiokafka is not prepared: the task that keeps its metadata current
ends without a word, and whoever waits for that task, such as the search for a group's coordinator
before a commit, waits for ever. https://github.com/aio-libs/aiokafka/issues/1038
"""

from __future__ import annotations

from typing import Any

import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_Untyped: Any = AIOKafkaConnection  # its methods have no annotations


class Connection(_Untyped):  # type: ignore[misc]  # the same
    """A connection whose loss is a KafkaConnectionError, whichever event loop notices it."""

    def send(self, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002  # aiokafka's signature
        """Send a request. Raises KafkaConnectionError when the connection is lost."""
        try:
            return super().send(request, expect_response)
        except RuntimeError as error:
            raise self._lost(error) from error

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002  # aiokafka's signature
        try:
            return super()._send_sasl_token(payload, expect_response)
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> KafkaConnectionError:
        self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        return KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}")


def mend_connections() -> None:
    """Have every aiokafka client of this process use such connections; for those on uvloop."""
    aiokafka.conn.AIOKafkaConnection = Connection  # type: ignore[misc]  # that is the point
