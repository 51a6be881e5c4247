"""The pages of dead letters: the list, and the dry run of what is done with many of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from multidict import MultiDict

from deploy.desk.admit import OPERATOR
from deploy.desk.carry import CARRIER
from deploy.desk.database import DATABASE
from deploy.desk.find import letters as find
from deploy.desk.find.operations import find_busy
from deploy.desk.kafka import READER
from deploy.desk.models.frame import Count, Fact, Option, Point
from deploy.desk.models.letters import LetterFilter, LettersPage, PlanPage
from deploy.desk.parse import (
    PAGE_SIZE,
    read_cursor,
    read_rate,
    read_selection,
    read_text,
    repeat_query,
    write_cursor,
)
from deploy.desk.present import present_asked, present_letter
from deploy.desk.show import go_to, show
from deploy.desk.stand import FORM
from deploy.errors import OperatorError
from deploy.letters.count import REST, count_letters
from deploy.letters.plan import plan_replay
from deploy.letters.purge import plan_purge
from deploy.letters.select import STATES, WAITING, Selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from multidict import MultiMapping

_SECTION: Final = "letters"
_NOBODY: Final = Selection(states=())


async def list_letters(request: web.Request) -> web.Response:
    """Show letters, the newest first, and of what kind all of them are."""
    query, problem = request.query, ""
    try:
        selection = read_selection(query)
    except OperatorError as error:
        selection, problem = _NOBODY, str(error)
    after = read_cursor(query, find.After)
    async with request.app[DATABASE].reading() as connection:
        rows = await find.find_page(connection, selection, after=after, most=PAGE_SIZE + 1)
        found = await count_letters(connection, selection)
    last = rows[PAGE_SIZE - 1] if len(rows) > PAGE_SIZE else None
    cursor = write_cursor(*(last[name] for name in _KEYS)) if last else ""
    waiting = found.total and set(selection.states) & set(WAITING)
    page = LettersPage(
        filter=_present_filter(query, selection),
        filtered=selection != Selection(),
        rows=tuple(map(present_letter, rows[:PAGE_SIZE])),
        total=found.total,
        by_class=_present_counts(query, "error_class", found.by_class),
        by_reason=_present_counts(query, "", found.by_reason),
        by_type=_present_counts(query, "type", found.by_type),
        by_time=tuple(
            Point(at=datetime.fromisoformat(at), value=number)
            for at, number in found.by_time.items()
        ),
        unit=found.unit,
        older_url=f"/letters{repeat_query(query, cursor=cursor)}" if cursor else "",
        newest_url=f"/letters{repeat_query(query)}" if after else "",
        replay_url=f"/letters/plan{repeat_query(query, action='replay')}" if waiting else "",
        purge_url=f"/letters/plan{repeat_query(query, action='purge')}" if waiting else "",
        problem=problem,
    )
    return show(request, "letters.html", page, section=_SECTION)


_KEYS: Final = ("dead_at", "topic", "partition", "offset")


async def plan_letters(request: web.Request) -> web.Response:
    """Show what would become of the letters that are asked for; nothing is changed."""
    query = request.query
    action = read_text(query, "action")
    selection = _demand_waiting(read_selection(query))
    async with request.app[DATABASE].reading() as connection:
        busy = await find_busy(connection, request[OPERATOR].name)
        if action == "purge":
            letters, gone, astray = await plan_purge(connection, selection), 0, 0
        elif action == "replay":
            async with request.app[READER].reading() as consumer:
                plan = await plan_replay(connection, consumer, selection)
            letters, gone, astray = plan.letters, plan.gone, plan.astray
        else:
            raise OperatorError("What can be planned is a replay or a purge.")
    # Times that were counted from now would mean others by then.
    said = selection.describe() | {"limit": letters + gone}
    del said["states"]
    page = PlanPage(
        action="purge" if action == "purge" else "replay",
        asked=tuple(present_asked(selection.describe())),
        letters=letters,
        gone=gone,
        astray=astray,
        fields=(
            *(Fact(name="state", value=each) for each in selection.states),
            *(Fact(name=name, value=str(value)) for name, value in said.items()),
        ),
        action_url=f"/letters/{action}",
        back_url=f"/letters{repeat_query(query)}",
        busy_url=f"/operations/{busy}" if busy else "",
    )
    return show(request, "plan.html", page, section=_SECTION)


_FIELDS: Final = ("reason", "error_class", "type", "user", "topic", "event", "since", "until")


async def replay_letters(request: web.Request) -> web.Response:
    """Begin the replay that was planned, of no more letters than were told of."""
    form = request[FORM]
    operation = await request.app[CARRIER].replay(
        _read_planned(form),
        operator=request[OPERATOR].name,
        rate=read_rate(read_text(form, "rate")),
    )
    return go_to(f"/operations/{operation}")


async def purge_letters(request: web.Request) -> web.Response:
    """Give up the letters that were planned, no more than were told of."""
    form = request[FORM]
    operation = await request.app[CARRIER].purge(
        _read_planned(form), operator=request[OPERATOR].name
    )
    return go_to(f"/operations/{operation}")


def _read_planned(form: MultiMapping[str]) -> Selection:
    limit = read_text(form, "limit")
    if not (limit.isdecimal() and 0 < int(limit) < 2**31):
        raise OperatorError("Plan it first: there is no number of letters in the form.")
    selection = _demand_waiting(read_selection(form))
    return Selection(**{**vars(selection), "limit": int(limit)})


def _demand_waiting(selection: Selection) -> Selection:
    """Return the selection without letters that nothing can be done with."""
    states = tuple(each for each in selection.states if each in WAITING)
    if not states:
        raise OperatorError("Only letters that are open or parked can be replayed or purged.")
    return Selection(**{**vars(selection), "states": states})


def _present_filter(query: MultiMapping[str], selection: Selection) -> LetterFilter:
    said = {name: query.get(name, "")[:300] for name in _FIELDS}
    states = tuple(
        Option(value=each, name=each, chosen=each in selection.states) for each in STATES
    )
    return LetterFilter(states=states, **said)


def _present_counts(
    query: MultiMapping[str], field: str, counts: Mapping[str, int]
) -> tuple[Count, ...]:
    """Return how many there are of each kind, and where those are alone if a field can say it."""
    return tuple(
        Count(name=value, number=number, url=_narrow(query, field, value) if field else "")
        for value, number in counts.items()
    )


def _narrow(query: MultiMapping[str], field: str, value: str) -> str:
    if value in _NO_VALUES:
        return ""
    others = MultiDict(query)
    others[field] = value
    return f"/letters{repeat_query(others)}"


_NO_VALUES: Final = ("unknown", REST)
