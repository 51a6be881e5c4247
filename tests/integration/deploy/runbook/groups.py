"""Stands in for Kafka's `kafka-consumer-groups.sh`, which not every machine has.

It takes what rehearsals need and nothing else; like the original it refuses while the group has
members.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import TypeAdapter

_MEMBERS = 5


async def reset(asked: argparse.Namespace) -> int:
    """Set a group back to what was there so long ago; return the exit code."""
    admin = AIOKafkaAdminClient(bootstrap_servers=asked.bootstrap_server)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=asked.bootstrap_server, group_id=asked.group, enable_auto_commit=False
    )
    await admin.start()
    await consumer.start()
    try:
        described: list[Any] = await admin.describe_consumer_groups([asked.group])
        if described[0].groups[0][_MEMBERS]:
            sys.stderr.write("Error: the group is not inactive.\n")
            return 1
        topics = await admin.describe_topics(asked.topic)
        places = [
            TopicPartition(topic["topic"], each["partition"])
            for topic in topics
            for each in topic["partitions"]
        ]
        consumer.assign(places)
        await consumer.commit(await _find(consumer, places, asked))
    finally:
        await consumer.stop()
        await admin.close()
    return 0


async def _find(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], asked: argparse.Namespace
) -> dict[TopicPartition, int]:
    ends = await consumer.end_offsets(places)
    if asked.to_latest:
        return dict(ends)
    ago_s = TypeAdapter(timedelta).validate_python(asked.by_duration).total_seconds()
    since_ms = int((time.time() - ago_s) * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    return {place: at.offset if (at := found[place]) else ends[place] for place in places}


def main() -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", action="append", required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--by-duration")
    where.add_argument("--to-latest", action="store_true")
    parser.add_argument("--reset-offsets", action="store_true", required=True)
    parser.add_argument("--execute", action="store_true", required=True)
    return asyncio.run(reset(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
