"""One row per user out of a batch, in whatever order the batch came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.clerk import read_envelope
from tests.factories import user_event
from workers.collapse import columns, last_seen_by_user, newest_by_user
from workers.project import UserRow, project

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn


@st.composite
def user_rows(draw: DrawFn) -> UserRow:
    """Draw a snapshot or a tombstone of one of three users, close together in time."""
    body = user_event(
        draw(st.sampled_from(["user_a", "user_b", "user_c"])),
        at=draw(st.integers(0, 3)),
        kind=draw(st.sampled_from(["user.created", "user.updated", "user.deleted"])),
        last_active_at=draw(st.none() | st.integers(10**12, 10**12 + 3)),
    )
    row = project(read_envelope(body), draw(st.sampled_from(["msg_1", "msg_2", "msg_3"])))
    assert row is not None
    return row


@given(st.lists(user_rows(), max_size=8), st.randoms())
def test_the_order_of_a_batch_does_not_matter(rows: list[UserRow], chance: object) -> None:
    """Any permutation and repetition of a batch collapses to the same versions."""
    shuffled = rows + rows[:3]
    getattr(chance, "shuffle")(shuffled)  # noqa: B009  # hypothesis gives it no type
    once, again = newest_by_user(rows), newest_by_user(shuffled)

    assert {key: row[16:] for key, row in once.items()} == {
        key: row[16:] for key, row in again.items()
    }
    assert sorted(last_seen_by_user(rows), key=str) == sorted(last_seen_by_user(shuffled), key=str)


@given(st.lists(user_rows(), min_size=1, max_size=8))
def test_a_tombstone_wins_over_any_snapshot(rows: list[UserRow]) -> None:
    """A user with a deletion in the batch is deleted, however new the snapshots are."""
    deleted = {row.id for row in rows if row.deleted_at}
    newest = newest_by_user(rows)

    assert {key for key, row in newest.items() if row.deleted_at} == deleted


def test_no_rows_are_empty_columns() -> None:
    """Unnest wants its arrays also where there is nothing to do."""
    assert columns([], width=3) == [[], [], []]
