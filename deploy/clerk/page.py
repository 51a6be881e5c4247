"""Read what Clerk gives at once: leniently, for one thing that is odd must not hide the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from schema.clerk.client import ClerkUnavailableError

if TYPE_CHECKING:
    from schema.clerk.client import Answer

T = TypeVar("T")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on a page, as far as a walk needs to know it."""

    id: str
    updated_at: int
    created_at: int


_SEEN: Final = msgspec.json.Decoder(Seen)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What Clerk gave at once."""

    things: tuple[bytes, ...]
    """Each as Clerk has it: JSON."""
    seen: tuple[Seen, ...]
    """The same, read."""
    cursor: str
    """Where to go on after it: pass it to the same walk."""
    clock_ms: int
    """Clerk's clock when it was given."""
    unreadable: tuple[bytes, ...] = ()
    """What lacks an id or its times, as Clerk gave it; a walk may come by it twice."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """The things of one answer."""

    things: tuple[bytes, ...]
    seen: tuple[Seen, ...]
    unreadable: tuple[bytes, ...]
    clock_ms: int

    def __len__(self) -> int:
        """How many Clerk gave, readable or not."""
        return len(self.things) + len(self.unreadable)

    def page(self, cursor: str) -> Page:
        """Return them as a page after which a walk goes on from `cursor`."""
        return Page(
            things=self.things,
            seen=self.seen,
            cursor=cursor,
            clock_ms=self.clock_ms,
            unreadable=self.unreadable,
        )


def read_list(answer: Answer) -> Items:
    """Read a bare list. Raises ClerkUnavailableError when it is none."""
    return _read(_decode(answer, list[msgspec.Raw]), answer.clock_ms)


def read_wrapped(answer: Answer) -> Items:
    """Read a list in `data`. Raises ClerkUnavailableError when there is none."""
    return _read(_decode(answer, _Wrapped).data, answer.clock_ms)


def read_count(answer: Answer) -> int:
    """Read a `total_count`. Raises ClerkUnavailableError when there is none."""
    return _decode(answer, _Count).total_count


class _Wrapped(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]


class _Count(msgspec.Struct, frozen=True):
    total_count: int


def _decode(answer: Answer, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ClerkUnavailableError("Clerk's answer is not what it says it is") from None


def _read(raws: list[msgspec.Raw], clock_ms: int) -> Items:
    things: list[bytes] = []
    seen: list[Seen] = []
    unreadable: list[bytes] = []
    for raw in raws:
        try:
            seen.append(_SEEN.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            unreadable.append(bytes(raw))
        else:
            things.append(bytes(raw))
    return Items(
        things=tuple(things), seen=tuple(seen), unreadable=tuple(unreadable), clock_ms=clock_ms
    )
