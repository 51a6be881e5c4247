"""A person with everything: each recorded webhook, told of them, in words that nobody else has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.headers import (
    EventHeaders,
    Failure,
    Origin,
    write_event_headers,
    write_failure_headers,
)
from schema.kafka.partition import choose_partition
from schema.kafka.topics import GROUP
from tests.factories import CREATED_MS, make_body, new_event_id, new_user_id
from tests.factories import SAMPLES as FOLDER

if TYPE_CHECKING:
    from datetime import datetime

    from schema.kafka.headers import RawHeaders

MARK: Final = "zephyr"
"""It stands in every name, address and text of theirs."""
ADDRESS: Final = "zephyrina@erasure.example"
IP: Final = "198.51.100.213"
TEXTS: Final = (MARK, IP, "+15005550213")

_NADIA: Final = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"
_TOMAS: Final = "user_37ZqgGbqUKxHAn1fEGXV0B03q8R"
_WORDS: Final = {
    "nadia.quill@example.com": ADDRESS,
    "tomas.verne@example.org": ADDRESS,
    **dict.fromkeys(("Nadia", "Tomas"), "Zephyrina"),
    **dict.fromkeys(("Quill", "Verne"), "Zephyrquill"),
    **dict.fromkeys(("203.0.113.24", "198.51.100.77", "2001:db8::a01"), IP),
    "Lisbon": "Zephyrville",
    "crm-48213": "crm-zephyr",
    "landing-page": "zephyr-page",
}
_OVER: Final = ("user.deleted", "organization.deleted", "organizationMembership.deleted")


def tell_of(person: str, body: bytes) -> bytes:
    """Return a recorded webhook as it would be of this person."""
    text = body.decode()
    for old, new in {**_WORDS, _NADIA: person, _TOMAS: person}.items():
        text = text.replace(old, new)
    return text.encode()


def write_life(person: str) -> list[bytes]:
    """Return the webhooks of a life, less its end."""
    names = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in _OVER)
    bodies = [tell_of(person, make_body(name)) for name in names]
    return [*bodies, write_update(person, at=10**9, first_name="Zephyrette")]


def write_update(person: str, *, at: int, **data: Any) -> bytes:
    """Return an update that fills every field."""
    address = {
        "id": "idn_zephyr",
        "email_address": ADDRESS,
        "verification": {"status": "verified", "strategy": "email_code"},
    }
    body = make_body(
        "user.updated",
        timestamp=CREATED_MS + at,
        updated_at=CREATED_MS + at,
        username="zephyr_q",
        image_url="https://img.example/zephyr.png",
        external_id="crm-zephyr",
        public_metadata={"note": "zephyr"},
        primary_email_address_id="idn_zephyr",
        email_addresses=[address],
        phone_numbers=[{"id": "idn_phone", "phone_number": "+15005550213"}],
        **data,
    )
    return tell_of(person, body)


def write_end(person: str) -> bytes:
    """Return the deletion."""
    return tell_of(person, make_body("user.deleted", timestamp=CREATED_MS + 2 * 10**9))


def write_unreadable(person: str) -> bytes:
    """Return a body that breaks off."""
    return json.dumps({"data": {"id": person, "first_name": "Zephyrina"}}).encode()[:-1]


def write_retry(person: str, now: datetime) -> tuple[bytes, RawHeaders]:
    """Return a record that waits in a retry topic and is due."""
    event = EventHeaders(
        event_id=new_event_id(),
        event_type="user.updated",
        source="tests",
        occurred_at=None,
        subject=person,
        request_id="tests",
    )
    failure = Failure(error_class="bug", error_code="UNEXPECTED_ERROR", message="", retry_at=now)
    origin = Origin(
        topic="clerk.user-events",
        partition=0,
        offset=0,
        timestamp_ms=CREATED_MS,
        group=GROUP,
        first_failed_at=now,
    )
    headers = write_event_headers(event) + write_failure_headers(failure, origin)
    return write_update(person, at=10**9 + 1, first_name="Zephyretta"), headers


def find_neighbour(person: str, partitions: int) -> str:
    """Return the id of somebody whose dead letters lie in the same partition."""
    wanted = choose_partition(person.encode(), partitions)
    while choose_partition((user := new_user_id()).encode(), partitions) != wanted:
        pass
    return user
