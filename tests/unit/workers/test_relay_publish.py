"""The relay's producer asks Kafka again as soon as it says, whatever aiokafka would do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiokafka.producer.sender
from aiokafka.errors import ConcurrentTransactions
from aiokafka.producer.sender import AddPartitionsToTxnHandler

from workers.relay.publish import ASK_AGAIN_S, ask_again_soon

if TYPE_CHECKING:
    import pytest


def test_kafka_is_asked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it still writes the markers of the transaction before."""
    # As aiokafka comes; other tests may have had it changed already.
    monkeypatch.setattr(aiokafka.producer.sender, "BACKOFF_OVERRIDE", 0.02)
    ask_again_soon()
    sender = SimpleNamespace(_retry_backoff=0.1, _txn_manager=SimpleNamespace(txn_partitions=set()))
    handler = AddPartitionsToTxnHandler(cast("Any", sender), set())
    refusal = SimpleNamespace(errors=[("user.changes", [(0, ConcurrentTransactions.errno)])])

    assert handler.handle_response(refusal) == ASK_AGAIN_S < 0.02
