"""What operators ask for: filters, times and places, read or refused in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy import console
from deploy.console.letters import Filters
from deploy.errors import OperatorError
from deploy.letters.ask import agree
from deploy.letters.select import STATES, Place, Selection, over_matching, read_moment, read_place
from deploy.letters.tell import bar, one_line
from schema.postgres.tables.failures import LETTER_STATES

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_the_states_are_those_of_the_tables() -> None:
    """The console knows them without SQLAlchemy."""
    assert STATES == LETTER_STATES


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-31", NOW.replace(hour=0)),
        ("2026-01-31T13:00+01:00", NOW),
    ],
)
def test_times_are_read(text: str | None, moment: datetime | None) -> None:
    """Counted from now, or as they stand, in UTC unless they say otherwise."""
    assert read_moment(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "90", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With examples of what is one."""
    with pytest.raises(OperatorError, match=r"is no time\. Say it as"):
        read_moment(text)


def test_places_are_read() -> None:
    """What is none is the id of an event."""
    place = Place("clerk.user-events.dlq", 2, 17)

    assert read_place(str(place)) == place
    assert read_place("msg_1") is None
    assert read_place("a/b/c") is None


def test_parked_letters_are_selected_by_name_only() -> None:
    """By --parked alone, or by --event together with those that are open."""
    assert Filters().waiting(parked=False, limit=None).states == ("open",)
    assert Filters().waiting(parked=True, limit=None).states == ("parked",)
    assert Filters(event="msg_1").waiting(parked=False, limit=None).states == ("open", "parked")


def test_a_selection_is_described_by_what_was_asked() -> None:
    """So the audit keeps it."""
    selection = Selection(error_class="bug", since=NOW, limit=3)

    assert selection.describe() == {
        "states": ("open",),
        "error_class": "bug",
        "since": "2026-01-31T12:00:00+00:00",
        "limit": 3,
    }


def test_every_statement_has_the_same_condition() -> None:
    """What is listed is what is replayed."""
    (statement,) = over_matching({"all": "SELECT * FROM (:matching) AS letter"}).values()

    assert ":matching" not in statement
    assert "SELECT * FROM dead_letters\n" in statement


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    """Nor break a line or a field."""
    assert one_line("a\x1b[2Jb\tc\nd") == "a�[2Jb�c�d"
    assert one_line(None) == ""


def test_bars_are_as_long_as_their_share() -> None:
    """Something is seen of whatever there is."""
    assert [bar(part, 1000, width=4) for part in (0, 1, 500, 1000)] == ["", "▏", "██", "████"]


def test_nobody_agrees_in_a_pipe() -> None:
    """Except beforehand."""
    assert agree("Purge 101 letters?", yes=True)
    with pytest.raises(OperatorError, match=r"Purge 101 letters\? Nobody is here .* --yes"):
        agree("Purge 101 letters?", yes=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--state", "lost"),
        ("list", "--since", "never"),
        ("purge", "--until", "never"),
        ("replay", "--resume", "--user", "user_1"),
        ("replay", "--resume", "--limit", "1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    """Before anything is tried."""
    with pytest.raises(OperatorError):
        console.app(["dlq", *arguments])


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--rate", "0"), ("--rate", "-1")])
def test_numbers_below_their_least_are_refused(arguments: tuple[str, ...]) -> None:
    """Before anything is tried."""
    with pytest.raises(SystemExit):
        console.app(["dlq", "replay", *arguments])


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("dlq", "list"), "DATABASE_URL"),
        (("dlq", "audit"), "DATABASE_URL"),
        (("dlq", "replay"), "KAFKA_BOOTSTRAP_SERVERS"),
        (("dlq", "show", "msg_1"), "KAFKA_BOOTSTRAP_SERVERS"),
        (("trace", "msg_1"), "DATABASE_URL"),
    ],
)
def test_a_missing_setting_is_named(arguments: tuple[str, ...], variable: str) -> None:
    """Before anything is tried."""
    with pytest.raises(SystemExit, match=variable):
        console.app(list(arguments))
