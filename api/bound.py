"""Bound what keeps a caller waiting: so many at once, and so many for each caller."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY_AFTER_S: Final = 5
"""When there may be a place again; tokens live a minute, so streams end all the time."""


class Places:
    """So many places, of which a caller gets no more than `each`."""

    def __init__(self, total: int, *, each: int, enough: str, full: str) -> None:
        """`enough` and `full` are the codes of the two errors, such as TOO_MANY_STREAMS."""
        self._total = total
        self._each = each
        self._enough = enough
        self._full = full
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, by: str) -> Iterator[None]:
        """Hold a place. Raises HttpError 429 when the caller has enough, 503 when none is left."""
        if self._taken[by] >= self._each:
            raise self._refuse(self._enough, f"You have {self._each} of these open already.")
        if self._taken.total() >= self._total:
            raise self._refuse(self._full, "Too many of these are open at the moment.")
        self._taken[by] += 1
        try:
            yield
        finally:
            self._taken[by] -= 1
            if not self._taken[by]:
                del self._taken[by]

    def _refuse(self, code: str, message: str) -> HttpError:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return HttpError(code, message, headers=headers)
