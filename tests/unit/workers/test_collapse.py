"""One row for each id out of a batch, in whatever order and grouping the batch came."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.clerk import read_envelope
from schema.postgres.ids import derive_id
from tests.factories import CREATED_MS, make_body
from workers.collapse import Batch, columns
from workers.project import PROJECTIONS, project
from workers.project.organizations import InvitationRow, MembershipRow, OrganizationRow
from workers.project.posts import DataRow, PostRow, Register
from workers.project.sessions import SessionRow
from workers.project.users import DeletionRow, NameRow, UserRow

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from workers.project.row import Row

TABLES: tuple[type[Row], ...] = (
    *(UserRow, NameRow, DeletionRow, SessionRow),
    *(OrganizationRow, MembershipRow, InvitationRow),
)
MOMENTS = st.integers(CREATED_MS, CREATED_MS + 2)


@st.composite
def rows(draw: DrawFn) -> tuple[Row, ...]:
    """Draw what one event asks for, of few ids and close together in time."""
    kind = draw(st.sampled_from(sorted(PROJECTIONS)))
    event = json.loads(make_body(kind))
    data: dict[str, Any] = event["data"]
    event |= {"type": kind, "timestamp": draw(MOMENTS)}
    if "updated_at" in data:
        data["updated_at"] = draw(MOMENTS)
    for moved in ("last_active_at", "last_sign_in_at"):
        if moved in data:
            data[moved] = draw(st.none() | MOMENTS)
    if data.get("user"):
        data["user"] |= {"updated_at": draw(MOMENTS), "last_active_at": draw(st.none() | MOMENTS)}
    if kind.endswith(".session"):
        data["status"] = draw(st.sampled_from(["active", "ended", "replaced"]))
        data["actor"] = draw(st.sampled_from([None, {"sub": "user_support"}]))
        data["created_at"] = draw(MOMENTS)
    if kind.startswith("session.") or kind.endswith(".session"):
        activity = {"browser_name": draw(st.sampled_from(["Chrome", "Firefox"]))}
        data["latest_activity"] = draw(st.sampled_from([None, activity]))
    # An event is known by its svix-id: two different ones never share it.
    event_id = f"msg_{draw(st.integers(0, 2))}_{hash(json.dumps(event, sort_keys=True))}"
    return project(read_envelope(json.dumps(event).encode()), event_id)


def _collapsed(batch: list[tuple[Row, ...]]) -> dict[str, Any]:
    merged = Batch(row for rows in batch for row in rows)
    return {table.__name__: merged.of(table) for table in TABLES}


@given(st.lists(rows(), max_size=8), st.randoms())
def test_the_order_of_a_batch_does_not_matter(batch: list[tuple[Row, ...]], chance: object) -> None:
    """Any permutation and repetition of a batch collapses to the same rows."""
    shuffled = batch + batch[:3]
    getattr(chance, "shuffle")(shuffled)  # noqa: B009  # hypothesis gives it no type

    assert _collapsed(shuffled) == _collapsed(batch)


@given(st.lists(rows(), min_size=2, max_size=8), st.integers(0, 8))
def test_the_grouping_of_a_batch_does_not_matter(batch: list[tuple[Row, ...]], cut: int) -> None:
    """Two collapsed halves merge into what the whole collapses to."""
    halves = [Batch(r for rows in part for r in rows) for part in (batch[:cut], batch[cut:])]
    again = [row for half in halves for table in TABLES for row in half.of(table).values()]

    assert _collapsed([tuple(again)]) == _collapsed(batch)


@pytest.mark.parametrize("kind", sorted(PROJECTIONS))
def test_a_row_merged_with_itself_is_itself(kind: str) -> None:
    """A repetition says nothing new, whatever the type."""
    for row in project(read_envelope(make_body(kind)), "msg_1"):
        assert functools.reduce(lambda one, other: one.merge(other), [row, row, row]) == row


def test_who_decides_is_known() -> None:
    """The event whose values the merged row has, and no other."""
    old, new = (
        project(read_envelope(make_body("user.created", updated_at=CREATED_MS + at)), f"msg_{at}")
        for at in (1, 2)
    )
    batch = Batch([*new, *old])

    assert [batch.decided_by(rows[0]) for rows in (old, new)] == [False, True]


REGISTERS = st.builds(
    Register, st.integers(1, 2), st.sampled_from(["cmd_a", "cmd_B"]), st.sampled_from(["x", "y"])
)
AUTHOR = derive_id("user_1")


@st.composite
def posts(draw: DrawFn) -> PostRow:
    """Draw what one command says of one post: its creation, a change, its end."""
    row = PostRow(id=derive_id("post"), user_id=AUTHOR)
    values = st.sampled_from(["x", "y"])
    created = st.tuples(*[st.builds(Register, value=values)] * 3)
    changed = st.tuples(*[st.just(Register()) | REGISTERS] * 3)
    return draw(
        st.builds(lambda at, fields: row._replace(created=at, fields=fields), MOMENTS, created)
        | st.builds(lambda fields: row._replace(fields=fields), changed)
        | st.builds(lambda at: row._replace(deleted=at), MOMENTS)
    )


DATA = st.builds(
    DataRow,
    st.just(AUTHOR),
    st.just("preferences"),
    st.none() | st.sampled_from(["{}", '{"a": true}']),
    MOMENTS,
    st.sampled_from(["cmd_a", "cmd_B"]),
)


@given(posts(), posts(), posts())
def test_posts_merge_in_any_order_and_grouping(one: PostRow, two: PostRow, three: PostRow) -> None:
    """However often: commutative, associative, idempotent; and each says who has a part in it."""
    whole = one.merge(two).merge(three)

    assert one.merge(two) == two.merge(one)
    assert whole == one.merge(two.merge(three))
    assert whole.merge(one) == whole.merge(whole) == whole
    assert one.is_in(one) or one == PostRow(id=one.id, user_id=AUTHOR)


@given(DATA, DATA, DATA)
def test_data_merges_in_any_order_and_grouping(one: DataRow, two: DataRow, three: DataRow) -> None:
    """However often."""
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(one) == one


def test_each_command_that_has_a_part_in_a_post_decides_it() -> None:
    """A change of one field beside a change of another; not one that is superseded."""
    row = PostRow(id=derive_id("post"), user_id=AUTHOR)
    old, new = (Register(at, f"cmd_{at}", "x") for at in (1, 2))
    rows = [
        row._replace(created=5, fields=(Register(value="a"), Register(), Register())),
        row._replace(fields=(old, Register(), Register())),
        row._replace(fields=(new, Register(), Register())),
        row._replace(fields=(Register(), old, Register())),
    ]
    batch = Batch(rows)

    assert [batch.decided_by(each) for each in rows] == [True, False, True, True]


def test_rows_become_columns() -> None:
    """As unnest takes them."""
    assert columns([(1, "a"), (2, "b")]) == [[1, 2], ["a", "b"]]
