"""Whom to look for: by the ids, and by the addresses that Clerk has told of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schema.kafka.headers import read_headers
from schema.kafka.topics import UNREADABLE
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import ConsumerRecord

    Record = ConsumerRecord[Any, Any]

SHORTEST: Final = 5
"""No shorter text is searched for: it would be found in what is other people's."""


class _Address(msgspec.Struct, frozen=True):
    email_address: str | None = None
    phone_number: str | None = None


class _Data(msgspec.Struct, frozen=True):
    id: str | None = None
    email_addresses: tuple[_Address, ...] = ()
    phone_numbers: tuple[_Address, ...] = ()


class _Event(msgspec.Struct, frozen=True):
    data: _Data


@dataclass(frozen=True)
class Person:
    """Somebody, and how records name them."""

    clerk_id: str
    texts: frozenset[str] = frozenset()
    """Addresses of theirs, and what else the operator knows."""

    @cached_property
    def _ids(self) -> tuple[bytes, ...]:
        return self.clerk_id.encode(), str(derive_id(self.clerk_id)).encode()

    @cached_property
    def _whole_ids(self) -> re.Pattern[bytes]:
        return re.compile(rb"(?<![\w-])(%s)(?![\w-])" % b"|".join(map(re.escape, self._ids)))

    @cached_property
    def _needles(self) -> frozenset[bytes]:
        written = {json.dumps(text)[1:-1].encode() for text in self.texts}
        return frozenset({text.encode() for text in self.texts} | written)

    def knowing(self, texts: Iterable[str]) -> Person:
        """Return the same person, with these texts to look for too."""
        return replace(self, texts=self.texts | {each for each in texts if len(each) >= SHORTEST})

    def is_named(self, record: Record) -> bool:
        """Tell whether a record holds an id of theirs, anywhere.

        Or one of their texts, unless it says that it is about another user: Clerk gives addresses
        to others once they are free.
        """
        parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        if any(self._holds_id(part) for part in parts):
            return True
        if not any(text in part for part in parts for text in self._needles):
            return False
        return not read_headers(record.headers).get("ce_subject")

    def owns(self, record: Record) -> bool:
        """Tell whether a record that names them is about them, and about nobody else.

        Of a body that could not be read nobody knows better.
        """
        subject = read_headers(record.headers).get("ce_subject")
        return subject == self.clerk_id or record.topic == UNREADABLE.name

    def _holds_id(self, part: bytes) -> bool:
        # The search for a pattern takes ten times as long.
        return any(each in part for each in self._ids) and bool(self._whole_ids.search(part))

    def read_addresses(self, record: Record) -> list[str]:
        """Return the addresses and numbers that a snapshot of them has. Never raises."""
        try:
            data = msgspec.json.decode(record.value or b"", type=_Event).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        if data.id != self.clerk_id:
            return []
        found = [each.email_address for each in data.email_addresses]
        found += [each.phone_number for each in data.phone_numbers]
        return [each for each in found if each]
