"""Rows of posts: a creation, a register for each field, an end; and how they merge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from schema.kafka.clerk import time_from_ms

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

FIELDS: Final = ("title", "body", "status")
"""What a post has of its author, each a register of its own."""


class Register(NamedTuple):
    """A field, and which change it is from: the greatest counts."""

    version: int = 0
    """When it was changed, in ms; 0 where it is from the creation, or from nothing yet."""
    event_id: str = ""
    value: str = ""


class PostRow(NamedTuple):
    """What commands say of a post."""

    id: uuid.UUID
    user_id: uuid.UUID
    created: int | None = None
    """When it was written, in ms; None where that is not told."""
    fields: tuple[Register, ...] = (Register(), Register(), Register())
    """In the order of FIELDS."""
    deleted: int | None = None
    """When it was deleted first, in ms; then there is nothing else."""

    @property
    def version_event_id(self) -> str:
        """Empty: no command has all of it."""
        return ""

    def merge(self, other: Self) -> Self:
        """Return the first end; without one the first creation, and the last change of each field.

        A creation has a say in fields that nobody has changed; of two at one time each field has
        the lesser value, so that nothing is kept of the other but what the row itself holds.
        """
        ends = [row.deleted for row in (self, other) if row.deleted is not None]
        if ends:
            return type(self)(id=self.id, user_id=self.user_id, deleted=min(ends))
        created = [row.created for row in (self, other) if row.created is not None]
        fields = (_merge_field(place, self, other) for place in range(len(FIELDS)))
        return self._replace(created=min(created, default=None), fields=tuple(fields))

    def is_in(self, whole: Self) -> bool:
        """Say whether the merged row has something of this one."""
        if whole.deleted is not None:
            return self.deleted == whole.deleted
        if self.created is not None and self.created == whole.created:
            return True
        pairs = zip(self.fields, whole.fields, strict=True)
        return any(mine.version and mine == merged for mine, merged in pairs)

    def columns(self) -> Iterator[Any]:
        """Yield the columns as edit.sql takes them."""
        yield from (self.id, self.user_id)
        yield None if self.created is None else time_from_ms(self.created)
        yield None if self.deleted is None else time_from_ms(self.deleted)
        for name, field in zip(FIELDS, self.fields, strict=True):
            yield field.value or ("draft" if name == "status" else "")
            yield from (field.version, field.event_id)


class DataId(NamedTuple):
    """Which key of whom."""

    user_id: uuid.UUID
    key: str


class DataRow(NamedTuple):
    """What a user says of themselves under one key."""

    user_id: uuid.UUID
    key: str
    value: str | None
    """JSON as PostgreSQL writes it; None where it is deleted."""
    version: int
    version_event_id: str

    @property
    def id(self) -> DataId:
        """Its two keys."""
        return DataId(self.user_id, self.key)

    def merge(self, other: Self) -> Self:
        """Return the later of the two."""
        return max(self, other, key=_data_order)


def _merge_field(place: int, one: PostRow, other: PostRow) -> Register:
    latest = max(one.fields[place], other.fields[place])
    if latest.version:
        return latest
    rows = (one, other)
    created = [(row.created, row.fields[place]) for row in rows if row.created is not None]
    return min(created)[1] if created else latest


def _data_order(row: DataRow) -> tuple[int, str, str]:
    return row.version, row.version_event_id, row.value or ""
