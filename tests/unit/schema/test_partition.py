"""Our hash is Kafka's: else a key's records would be in two partitions, and in no order."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.partition import choose_partition, murmur2


def test_known_hashes_are_found() -> None:
    """The values of Kafka's own test, without their sign (UtilsTest.testMurmur2)."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}

    assert {key: murmur2(key) for key in known} == {
        key: number % 2**32 for key, number in known.items()
    }


@given(st.binary(max_size=80), st.integers(min_value=1, max_value=1000))
def test_a_key_goes_where_other_clients_put_it(key: bytes, partitions: int) -> None:
    """Whatever the key's length, the partition is the one that aiokafka chooses."""
    everywhere = list(range(partitions))

    assert choose_partition(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)
