"""On uvloop, a write to a lost connection to Kafka is what aiokafka expects of one."""

from __future__ import annotations

import asyncio

import aiokafka.conn
import pytest
import uvloop
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from schema.kafka.mend import Connection, mend_connections


async def _send_on_lost() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        connection = Connection(host, port)
        connection._reader, connection._writer = await asyncio.open_connection(host, port)
        connection._versions = {MetadataRequest.API_KEY: (0, 5)}
        connection._read_task = asyncio.create_task(asyncio.sleep(0))
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        try:
            await connection.send(MetadataRequest([]))
        finally:
            assert not connection.connected()


def test_a_lost_connection_is_a_kafka_error() -> None:
    """A request on a connection that has just been aborted raises KafkaConnectionError."""
    with pytest.raises(KafkaConnectionError):
        uvloop.run(_send_on_lost())


def test_mended_clients_use_such_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever connects after the mending gets the mended connection."""
    monkeypatch.setattr(aiokafka.conn, "AIOKafkaConnection", aiokafka.conn.AIOKafkaConnection)
    mend_connections()

    assert aiokafka.conn.AIOKafkaConnection is Connection
