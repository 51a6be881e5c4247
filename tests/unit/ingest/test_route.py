"""Where events go."""

from __future__ import annotations

import pytest

from ingest.route import Route, route
from schema.kafka.clerk import MalformedEventError, Subject, read_envelope, read_subject
from schema.kafka.topics import ORG_EVENTS, USER_EVENTS

NADIA = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"
TOMAS = "user_37ZqgGbqUKxHAn1fEGXV0B03q8R"
PHONE = "user_37ZqbiknCBDYliyqJZ8qcunYfY6"
NORTHWIND = "org_37Zqj7Mccp0HozpM2dyacMgfDIz"

KEYS = {
    "email.created": NADIA,
    "email.created.no_user": "ema_37Zq7RIJbhw8bssln63YAyPBqWm",
    "organization.created": NORTHWIND,
    "organization.deleted": NORTHWIND,
    "organization.updated": NORTHWIND,
    "organizationInvitation.accepted": TOMAS,
    "organizationInvitation.created": NORTHWIND,
    "organizationMembership.created": TOMAS,
    "organizationMembership.deleted": TOMAS,
    "organizationMembership.updated": TOMAS,
    "permission.created": "perm_37ZqkaUheQ6VLF3KfI9ulXxf8Ae",
    "role.created": "role_37ZqhfyzV2Ud3x1NZuwBdI5rPZm",
    "session.created": NADIA,
    "session.ended": NADIA,
    "session.pending": TOMAS,
    "session.removed": NADIA,
    "session.revoked": NADIA,
    "sms.created": PHONE,
    "subscription.created": NADIA,
    "subscription.created.org_payer": NORTHWIND,
    "user.created": NADIA,
    "user.created.oauth": TOMAS,
    "user.created.phone": PHONE,
    "user.deleted": NADIA,
    "user.updated": NADIA,
    "waitlistEntry.created": "wle_37ZqLtiMECTd2iMvvcjXaXS1X0U",
}


def _route(body: bytes) -> Route:
    envelope = read_envelope(body)
    return route(envelope.type, read_subject(envelope))


def test_the_table_covers_every_recorded_webhook(sample: dict[str, bytes]) -> None:
    """No sample is without an expectation."""
    assert KEYS.keys() == sample.keys()


@pytest.mark.parametrize("name", KEYS)
def test_events_of_a_user_are_keyed_by_the_user(name: str, sample: dict[str, bytes]) -> None:
    """Each recorded webhook has the key that Clerk's catalogue gives it, and its topic."""
    found = _route(sample[name])
    is_user = KEYS[name].startswith("user_")

    assert found == Route(
        topic=USER_EVENTS if is_user else ORG_EVENTS,
        key=KEYS[name],
        user_id=KEYS[name] if is_user else None,
    )


def test_empty_ids_count_as_missing() -> None:
    """Billing sends `""` for the payer that does not pay."""
    body = b'{"type":"paymentAttempt.created","data":{"id":"pay_1","payer":{"user_id":""}}}'

    assert _route(body).key == "pay_1"


@pytest.mark.parametrize(
    ("data", "topic", "key"),
    [
        (b'{"id":"x_1","user_id":"user_1"}', USER_EVENTS, "user_1"),
        (b'{"id":"x_1","organization_id":"org_1"}', ORG_EVENTS, "org_1"),
        (b'{"id":"x_1"}', ORG_EVENTS, "x_1"),
    ],
)
def test_unknown_types_go_by_the_ids_they_carry(data: bytes, topic: object, key: str) -> None:
    """A type that Clerk adds tomorrow finds its way."""
    found = _route(b'{"type":"novelty.created","data":' + data + b"}")

    assert (found.topic, found.key) == (topic, key)


def test_an_event_about_nobody_is_malformed() -> None:
    """What nothing identifies cannot be kept in order with anything."""
    with pytest.raises(MalformedEventError, match="identifies"):
        route("user.created", Subject())
