"""The page of events: by user from the ledger; the newest of all, by the clock of Kafka."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from deploy.desk.database import DATABASE
from deploy.desk.find import events as find
from deploy.desk.find.arrivals import glance
from deploy.desk.find.events import Asked
from deploy.desk.kafka import READER
from deploy.desk.models.events import EventFilter, EventRow, EventsPage
from deploy.desk.models.frame import Option
from deploy.desk.parse import PAGE_SIZE, read_cursor, read_text, write_cursor, write_query
from deploy.desk.present import event_url
from deploy.desk.present_events import present_arrival, present_event
from deploy.desk.show import go_to, show
from deploy.errors import OperatorError
from deploy.letters.select import read_moment
from schema.http.tokens.claims import CLERK_USER_ID
from schema.kafka.changes import is_canary
from schema.kafka.clerk import MAX_MS
from schema.postgres.tables.ledger import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web
    from multidict import MultiMapping

    from deploy.desk.find.arrivals import Arrival

EACH: Final = 64
"""Records of each partition that are read at once."""
LOOK_S: Final = 2.0
"""After so long a search says how far it came; the operator may go on."""
WAITING: Final = "waiting"
"""The outcome of what no worker has come to yet."""

_FIELDS: Final = ("q", "user", "type", "outcome", "since", "until", "canaries")
_EVENT_ID: Final = re.compile(r"\S{1,200}")


class Before(NamedTuple):
    """The moment before which a page of arrivals begins, in milliseconds since 1970."""

    ms: Annotated[int, msgspec.Meta(le=MAX_MS)]


@dataclass(kw_only=True)
class Search:
    """What a search has found so far."""

    rows: list[EventRow] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Their ids: a replayed event arrives several times."""
    looked_at: int = 0
    back_to: datetime | None = None
    older: str = ""
    """The cursor where it goes on."""

    def take(self, arrivals: Sequence[tuple[Arrival, EventRow | None]]) -> int | None:
        """Take arrivals until the page is full; return before when the next one begins, if it is.

        Those of one moment are taken together.
        """
        last_ms: int | None = None
        for arrival, row in arrivals:
            if len(self.rows) >= PAGE_SIZE and arrival.stored_ms != last_ms:
                return last_ms
            last_ms = arrival.stored_ms
            self.looked_at += 1
            if row and row.event_id not in self.seen:
                self.seen.add(row.event_id)
                self.rows.append(row)
        return None


async def list_events(request: web.Request) -> web.Response:
    """Show events; one that is named is gone to."""
    query = request.query
    named = read_text(query, "q")
    user = read_text(query, "user") or (named if CLERK_USER_ID.fullmatch(named) else "")
    if named and named != user and _EVENT_ID.fullmatch(named):
        return go_to(event_url(named))
    problem, found = "", Search()
    try:
        asked = _read_asked(query)
    except OperatorError as error:
        problem = str(error)
    else:
        found = await _search(request, user, asked)
    repeated = [(name, query.get(name, "")) for name in _FIELDS]
    older = write_query([*repeated, ("cursor", found.older)])
    page = EventsPage(
        filter=_present_filter(query, user=user),
        filtered=any(value for name, value in repeated if name != "canaries"),
        rows=tuple(found.rows),
        looked_at=found.looked_at,
        back_to=found.back_to,
        older_url=f"/events{older}" if found.older else "",
        newest_url=f"/events{write_query(repeated)}" if query.get("cursor") else "",
        problem=problem,
    )
    return show(request, "events.html", page, section="events")


def _read_asked(query: MultiMapping[str]) -> Asked:
    outcome = read_text(query, "outcome") or None
    if outcome not in {None, WAITING, *OUTCOMES}:
        raise OperatorError(f"An outcome is {', '.join(OUTCOMES)} or {WAITING}.")
    return Asked(
        type=read_text(query, "type") or None,
        outcome=outcome,
        since=read_moment(read_text(query, "since") or None),
        until=read_moment(read_text(query, "until") or None),
        canaries=read_text(query, "canaries") == "yes",
    )


async def _search(request: web.Request, user: str, asked: Asked) -> Search:
    if user:
        return await _search_user(request, user, asked)
    return await _search_arrivals(request, asked)


async def _search_user(request: web.Request, user: str, asked: Asked) -> Search:
    after = read_cursor(request.query, find.After)
    async with request.app[DATABASE].reading() as connection:
        rows = await find.find_of_user(connection, user, asked, after=after, most=PAGE_SIZE + 1)
    shown = rows[:PAGE_SIZE]
    found = Search(rows=list(map(present_event, shown)), looked_at=len(shown))
    if len(rows) > PAGE_SIZE:
        last = shown[-1]
        found.older = write_cursor(last["occurred_at"], last["event_id"])
        found.back_to = last["occurred_at"]
    return found


async def _search_arrivals(request: web.Request, asked: Asked) -> Search:
    """Go back from the newest arrival until a page is full, time is over or nothing is left."""
    before = _begin(read_cursor(request.query, Before), asked)
    since_ms = round(asked.since.timestamp() * 1000) if asked.since else 0
    search = Search()
    give_up = time.monotonic() + LOOK_S
    while True:
        async with request.app[READER].reading() as consumer:
            glanced = await glance(consumer, before_ms=before, each=EACH)
        arrivals = [each for each in glanced.arrivals if each.stored_ms >= since_ms]
        before = search.take(await _judge(request, arrivals, asked)) or glanced.since_ms
        if before is None or before <= since_ms:
            return search
        if len(search.rows) >= PAGE_SIZE or time.monotonic() >= give_up:
            search.older = write_cursor(before)
            search.back_to = datetime.fromtimestamp(before / 1000, UTC)
            return search


def _begin(cursor: Before | None, asked: Asked) -> int | None:
    if cursor:
        return cursor.ms
    return round(asked.until.timestamp() * 1000) if asked.until else None


async def _judge(
    request: web.Request, arrivals: list[Arrival], asked: Asked
) -> list[tuple[Arrival, EventRow | None]]:
    """Return each arrival, and how it is shown where it is wanted."""
    wanted = [each for each in arrivals if _is_wanted(each, asked)]
    known: Mapping[str, Any] = {}
    if wanted:
        async with request.app[DATABASE].reading() as connection:
            known = await find.find_known(connection, {each.event_id for each in wanted})
    rows = {each: present_arrival(each, known.get(each.event_id)) for each in wanted}
    return [
        (each, row if row and asked.outcome in {None, row.outcome} else None)
        for each in arrivals
        for row in (rows.get(each),)
    ]


def _is_wanted(arrival: Arrival, asked: Asked) -> bool:
    if not asked.canaries and is_canary(arrival.user):
        return False
    return asked.type in {None, arrival.type}


def _present_filter(query: MultiMapping[str], *, user: str) -> EventFilter:
    said = {name: query.get(name, "")[:300] for name in ("type", "since", "until")}
    outcome = query.get("outcome", "")
    options = [("", "any"), *((each, each) for each in (*OUTCOMES, WAITING))]
    return EventFilter(
        q="",
        user=user,
        outcomes=tuple(
            Option(value=value, name=name, chosen=value == outcome) for value, name in options
        ),
        canaries=query.get("canaries") == "yes",
        **said,
    )
