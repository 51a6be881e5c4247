"""Whether a cursor is still good, and where to go on."""

from __future__ import annotations

import pytest

from api.read import Change, Changes
from api.resume import check_since, next_position
from schema.http.errors import HttpError

CHANGE = Change(position=60, type="clerkwork.user.updated", key="user_1", state=None)


def found(*, more: bool = False, changes: tuple[Change, ...] = (CHANGE,)) -> Changes:
    """Return a page of an outbox that reaches from 50 to 100, at 200."""
    return Changes(standing=None, changes=changes, more=more, head=100, forgotten=50, clock=200)


@pytest.mark.parametrize("since", [None, 50, 75, 100])
def test_good_cursors(since: int | None) -> None:
    """The end of what is forgotten, the newest change, and what lies between."""
    check_since(since, found())


@pytest.mark.parametrize(
    ("since", "status", "code"),
    [
        (0, 410, "CURSOR_EXPIRED"),
        (49, 410, "CURSOR_EXPIRED"),
        (101, 410, "CURSOR_EXPIRED"),
        (200, 410, "CURSOR_EXPIRED"),
        (201, 400, "INVALID_CURSOR"),
    ],
)
def test_cursors_that_lead_nowhere(since: int, status: int, code: str) -> None:
    """Older than what is kept, of a history that was lost, or of the future."""
    with pytest.raises(HttpError) as caught:
        check_since(since, found())

    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_full_page_goes_on_after_its_last_change() -> None:
    """Others come after it."""
    assert next_position(found(more=True)) == 60


@pytest.mark.parametrize("changes", [(), (CHANGE,)])
def test_the_last_page_goes_on_at_the_end(changes: tuple[Change, ...]) -> None:
    """What lies between does not concern the caller."""
    assert next_position(found(changes=changes)) == 100
