"""Entries: answers in memory, bounded by bytes; the one not asked for the longest goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.respond import View
    from schema.ops.metrics.cache import CacheMetrics, DropReason

OVERHEAD: Final = 1024
"""What an entry takes besides its body: its keys, tags and times, in bytes; estimated."""

LARGEST: Final = 1 << 20
"""Bodies of more bytes are not kept: one of them would push out a thousand others."""


class Entry(NamedTuple):
    """An answer that is kept."""

    view: View
    tags: tuple[str, ...]
    """What it tells of."""
    loaded_at: float
    """When it was read, by the monotonic clock."""
    until: float
    """When its time is over, by the same."""


class Entries:
    """Key -> entry, and by tag."""

    def __init__(self, max_bytes: int, metrics: CacheMetrics) -> None:
        self._kept = _Kept(max_bytes, self._unlink)
        self._tagged: dict[str, str | set[str]] = {}
        self._metrics = metrics
        self._reason: DropReason = "size"
        metrics.bytes.set_function(lambda: self._kept.currsize)
        metrics.entries.set_function(lambda: len(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return int(self._kept.currsize)

    def get(self, key: str) -> Entry | None:
        """Return what is kept."""
        return self._kept.get(key)

    def put(self, key: str, entry: Entry) -> bool:
        """Keep `entry` in place of what was there, and say whether it was; the large are not."""
        if old := self._kept.get(key):
            self.drop(key, "ttl" if old.until <= entry.loaded_at else "tail_lost")
        if len(entry.view.body) > LARGEST or _size_of(entry) > self._kept.maxsize:
            return False
        self._kept[key] = entry
        for tag in entry.tags:
            self._link(tag, key)
        return True

    def has_room_for(self, entry: Entry) -> bool:
        """Say whether it can be kept without another one going for it."""
        return self._kept.currsize + _size_of(entry) <= self._kept.maxsize

    def drop(self, key: str, reason: DropReason) -> None:
        """Let go what is kept under `key`, if anything."""
        self._reason = reason
        self._kept.pop(key, None)
        self._reason = "size"

    def drop_tagged(self, tag: str) -> None:
        """Let go all that tells of `tag`: it has changed."""
        keys = self._tagged.get(tag, ())
        for key in (keys,) if isinstance(keys, str) else tuple(keys):
            self.drop(key, "change")

    def clear(self) -> None:
        """Let go all: nobody knows what has changed."""
        self._metrics.dropped.labels("tail_lost").inc(len(self._kept))
        self._kept.clear()
        self._tagged.clear()

    def _link(self, tag: str, key: str) -> None:
        # Most tags have one key, and a set for each of them would take more than the entry.
        keys = self._tagged.setdefault(tag, key)
        if isinstance(keys, set):
            keys.add(key)
        elif keys != key:
            self._tagged[tag] = {keys, key}

    def _unlink(self, key: str, entry: Entry) -> None:
        self._metrics.dropped.labels(self._reason).inc()
        for tag in entry.tags:
            keys = self._tagged.get(tag)
            if isinstance(keys, set):
                keys.discard(key)
            if keys == key or not keys:
                self._tagged.pop(tag, None)


def _size_of(entry: Entry) -> int:
    return len(entry.view.body) + OVERHEAD


class _Kept(LRUCache[str, Entry]):
    """Says which entry it lets go, also when it does so to make room."""

    def __init__(self, max_bytes: int, gone: Callable[[str, Entry], None]) -> None:
        super().__init__(max_bytes, getsizeof=_size_of)
        self._gone = gone

    def __delitem__(self, key: str) -> None:
        entry = self[key]
        super().__delitem__(key)
        self._gone(key, entry)
