"""Keys are what the standard says, however they are made."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from schema.postgres.ids import NAMESPACE, derive_id


@given(st.text())
def test_a_key_is_the_uuid_of_version_5(clerk_id: str) -> None:
    """As Python's own library derives it, equal and with an equal hash."""
    derived, expected = derive_id(clerk_id), uuid.uuid5(NAMESPACE, clerk_id)

    assert isinstance(derived, uuid.UUID)
    assert derived == expected
    assert hash(derived) == hash(expected)
    assert str(derived) == str(expected)
