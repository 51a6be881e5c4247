"""Which partition a key belongs to: Kafka's own murmur2, as every client of Kafka's computes it.

https://github.com/apache/kafka/blob/4.1.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java
aiokafka's looks at byte after byte; four at once take half the time.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_WORDS: Final = Struct("<I").iter_unpack


def murmur2(data: bytes) -> int:
    """Return the hash of `data`, 32 bits without a sign."""
    whole = len(data) & ~3
    state = _SEED ^ len(data)
    for (word,) in _WORDS(data[:whole]):
        word = word * _FACTOR & _MASK  # noqa: PLW2901  # the algorithm's own way of mixing
        state = state * _FACTOR & _MASK ^ (word ^ word >> 24) * _FACTOR & _MASK
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    state = (state ^ state >> 13) * _FACTOR & _MASK
    return state ^ state >> 15


def choose_partition(key: bytes, partitions: int) -> int:
    """Return the number of the partition, of so many, that has the records with this key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
