"""Drops: what has changed while something was being read, so that nothing outdated is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT: Final = 10_000
"""Tags remembered at once; when there are more, all that is being read counts as changed."""


class Drops:
    """Counts drops, and remembers the last one of each tag while anybody reads."""

    def __init__(self) -> None:
        self.count = 0
        """How many there have been: whoever reads begins after so many."""
        self._last: dict[str, int] = {}
        self._all = 0
        self._reading = 0

    def begin(self) -> int:
        """Begin to read; return what `touched` wants to know. To be followed by `end`."""
        self._reading += 1
        return self.count

    def end(self) -> None:
        """End what was begun."""
        self._reading -= 1
        if not self._reading:
            self._last.clear()

    def note(self, tags: Iterable[str]) -> None:
        """Take note that what has these tags has changed."""
        self.count += 1
        if self._reading:
            self._last.update(dict.fromkeys(tags, self.count))
            if len(self._last) > LIMIT:
                self.note_all()

    def note_all(self) -> None:
        """Take note that anything may have changed."""
        self.count += 1
        self._all = self.count
        self._last.clear()

    def touched(self, tags: Iterable[str], *, since: int) -> bool:
        """Say whether one of these may have changed since a read began."""
        return self._all > since or any(self._last.get(tag, 0) > since for tag in tags)
