"""What the desk decides without any server: sessions, origins, cursors, questions."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from multidict import MultiDict

from deploy.desk.events import Before
from deploy.desk.find.letters import After
from deploy.desk.find.pipeline import per_minute
from deploy.desk.parse import (
    read_cursor,
    read_place_of,
    read_rate,
    read_selection,
    repeat_query,
    write_cursor,
)
from deploy.desk.protect import demand_form_token, form_token
from deploy.desk.render import ago, build_environment, count, iso, span
from deploy.desk.sessions import CODE_S, IDLE_S, MOST_CODES, MOST_SESSIONS, SESSION_S, Sessions
from deploy.desk.settings import BrowserDeskSettings
from deploy.errors import OperatorError
from deploy.letters.select import Place
from schema.http.errors import HttpError
from schema.http.tokens.claims import Caller
from schema.postgres.ids import derive_id

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALLER = Caller(clerk_id="user_1", user_id=derive_id("user_1"), expires_at=0)


class Clock:
    """A clock that stands still unless it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now


def test_a_session_ends_when_nobody_uses_it() -> None:
    """Half an hour after the last request."""
    clock = Clock()
    sessions = Sessions(clock=clock)
    session = sessions.open(CALLER)
    clock.now += IDLE_S - 1
    assert sessions.find(session.id) is session
    clock.now += IDLE_S - 1
    assert sessions.find(session.id) is session
    clock.now += IDLE_S

    assert sessions.find(session.id) is None
    assert len(sessions) == 0


def test_a_session_ends_after_a_day_of_work() -> None:
    """However busy it is."""
    clock = Clock()
    sessions = Sessions(clock=clock)
    session = sessions.open(CALLER)
    used = 0
    while sessions.find(session.id):
        clock.now += 600
        used += 1

    assert used == SESSION_S / 600


def test_sessions_and_codes_are_bounded() -> None:
    """The least recently used make room."""
    sessions = Sessions()
    first, second = sessions.open(CALLER), sessions.open(CALLER)
    assert sessions.find(first.id)
    for _ in range(MOST_SESSIONS - 1):
        sessions.open(CALLER)
    codes = [sessions.make_code(CALLER) for _ in range(MOST_CODES + 1)]

    assert len(sessions) == MOST_SESSIONS
    assert sessions.find(first.id)
    assert sessions.find(second.id) is None
    assert sessions.take_code(codes[0]) is None
    assert sessions.take_code(codes[-1]) is CALLER


def test_a_code_is_good_once_and_not_for_long() -> None:
    """Looking at it does not use it up."""
    clock = Clock()
    sessions = Sessions(clock=clock)
    code, late = sessions.make_code(CALLER), sessions.make_code(CALLER)
    assert sessions.find_code(code) is CALLER
    assert sessions.take_code(code) is CALLER
    clock.now += CODE_S

    assert sessions.take_code(code) is None
    assert sessions.take_code(late) is None


def test_form_tokens_belong_to_a_session() -> None:
    """One session's are refused in another's."""
    demand_form_token(form_token("desk:1"), identity="desk:1")

    for said in (form_token("desk:2"), None, "", "é"):
        with pytest.raises(HttpError, match="another session"):
            demand_form_token(said, identity="desk:1")


class Behind(NamedTuple):
    """Where a page begins."""

    at: datetime
    name: str


def test_cursors_come_back() -> None:
    """And what is none is refused."""
    cursor = write_cursor(NOW, "ä/1")

    assert read_cursor(MultiDict(cursor=cursor), Behind) == Behind(NOW, "ä/1")
    assert read_cursor(MultiDict[str](), Behind) is None
    for broken in ("x", "e30", cursor[:-3], "ä", write_cursor(1)):
        with pytest.raises(HttpError, match="does not lead"):
            read_cursor(MultiDict(cursor=broken), Behind)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Behind, "[" * 3000),
        (Behind, '["2026-01-01T00:00:00Z", "a\\u0000"]'),
        (Behind, '["2026-01-01T00:00:00", "no zone"]'),
        (Behind, '["0001-01-01T00:00:00+23:59", "before all time"]'),
        (Behind, '["9999-12-31T23:59:59-23:59", "after it"]'),
        (After, '["2026-01-01T00:00:00Z", "t", 2147483648, 1]'),
        (After, '["2026-01-01T00:00:00Z", "t", 1, 9223372036854775808]'),
        (After, '["2026-01-01T00:00:00Z", "t", -1, 1]'),
        (Before, "[253402300800000]"),
    ],
)
def test_a_cursor_that_nothing_can_be_sought_with_is_refused(kind: type, said: str) -> None:
    """Anybody can write one; neither PostgreSQL nor Kafka is asked."""
    cursor = base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")

    with pytest.raises(HttpError, match="does not lead"):
        read_cursor(MultiDict(cursor=cursor), kind)


@pytest.mark.parametrize(
    ("topic", "partition", "offset"),
    [
        ("t", "9" * 10, "1"),
        ("t", "1", "9" * 25),
        ("t\0", "1", "1"),
        ("t", "-1", "1"),
        ("t", "²", "1"),
    ],
)
def test_a_place_that_no_letter_can_have_is_none(topic: str, partition: str, offset: str) -> None:
    """The address says so, not PostgreSQL."""
    with pytest.raises(HttpError, match="no such letter"):
        read_place_of({"topic": topic, "partition": partition, "offset": offset})


def test_questions_about_letters_are_repeated() -> None:
    """What the page has asked, its links ask too."""
    query = MultiDict([("state", "open"), ("state", "parked"), ("user", " user_1 "), ("x", "y")])
    selection = read_selection(query)

    assert selection.states == ("open", "parked")
    assert selection.user == "user_1"
    assert repeat_query(query, cursor="c") == "?state=open&state=parked&user=user_1&cursor=c"
    assert repeat_query(MultiDict[str]()) == ""


@pytest.mark.parametrize(
    "query",
    [{"state": "dead"}, {"since": "soon"}, {"user": "x" * 301}, {"type": "a\0b"}],
)
def test_questions_that_make_no_sense_are_refused(query: dict[str, str]) -> None:
    """In words."""
    with pytest.raises(OperatorError):
        read_selection(MultiDict(query))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many", "0.001"])
def test_a_rate_is_a_rate(text: str) -> None:
    """Nothing else is."""
    with pytest.raises(OperatorError):
        read_rate(text)
    assert read_rate("0.5") == 0.5
    assert read_rate("") is None


def test_places_are_places() -> None:
    """Whatever stands in an address."""
    said = {"topic": "t", "partition": "1", "offset": "23"}

    assert read_place_of(said) == Place("t", 1, 23)
    for broken in ({"partition": "-1"}, {"offset": "x"}, {"offset": "9" * 30}, {"partition": "²"}):
        with pytest.raises(HttpError):
            read_place_of(said | broken)


def test_text_is_escaped_on_every_page() -> None:
    """Whatever somebody has sent."""
    environment = build_environment({"desk.css": "/x"})

    assert environment.from_string("{{ x }}").render(x="<b>'\"&") == "&lt;b&gt;&#39;&#34;&amp;"
    assert all(environment.get_template(each) for each in environment.list_templates())


def test_times_are_told_in_their_largest_unit() -> None:
    """From milliseconds to days."""
    spans = {0.0123: "12 ms", 2.34: "2.3 s", 59: "59 s", 600: "10 min", 9000: "2 h", 1e6: "12 d"}

    assert {seconds: span(seconds) for seconds in spans} == spans
    assert ago(NOW, NOW) == "0 ms ago"
    assert iso(NOW) == "2026-01-01T12:00:00.000Z"
    assert count(1234567) == "1,234,567"


def test_minutes_are_what_was_added() -> None:
    """Never less than nothing: a topic that was made anew begins at 0."""
    sums = [(0, 10), (60, 15), (120, 3), (150, 4)]

    assert [number for _, number in per_minute(sums)] == [5, 0, 1]


@pytest.mark.parametrize(
    "settings",
    [
        {"desk_targets": ("ingest",)},
        {"desk_targets": ("ingest=ftp://x",)},
        {"desk_origin": "https://x/path"},
        {"desk_rate_limits": "x"},
        {"clerk_jwks_url": None},
    ],
)
def test_settings_that_make_no_sense_stop_the_start(settings: dict[str, object]) -> None:
    """Each with a word on what would."""
    good: dict[str, object] = {
        "kafka_bootstrap_servers": "k:1",
        "database_url": "postgresql://x@y/z",
        "clerk_jwks_url": "https://clerk.example.com/jwks",
    }
    told = BrowserDeskSettings(**{**good, "desk_targets": ("api=http://x:1",)})  # type: ignore[arg-type]  # any are given
    assert told.targets == {"api": "http://x:1"}
    with pytest.raises(ValueError, match="validation error"):
        BrowserDeskSettings(**(good | settings))  # type: ignore[arg-type]  # any are given
