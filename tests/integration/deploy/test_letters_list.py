"""Find dead letters in the index: on a real PostgreSQL, with many of them."""

from __future__ import annotations

import asyncio
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from deploy.letters import count, plan, purge
from deploy.letters import list as listing
from deploy.letters.count import REST, count_letters, tell_statistics
from deploy.letters.list import find_letters, tell_letters
from deploy.letters.select import Selection
from deploy.trace import run_trace, tell_trace, trace
from schema.kafka.letters import WITHHELD
from tests.rows import insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

TOPIC = "clerk.user-events.dlq"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MANY = """
    INSERT INTO dead_letters (topic, partition, "offset", dead_at, source_topic, source_partition,
        source_offset, event_id, type, clerk_user_id, error_class, error_code, reason, attempts,
        state)
    SELECT 'clerk.user-events.dlq', n % 3, n, timestamptz '2026-01-01Z' + n * interval '1 second',
        'clerk.user-events', n % 12, n, 'msg_' || n, 'user.updated', 'user_' || n % 5000,
        'poison.data', 'REFUSED_VALUE', 'reason ' || n % 7, 1,
        CASE WHEN n % 10 = 0 THEN 'replayed' ELSE 'open' END
    FROM generate_series(1, 100000) AS n;
    ANALYZE dead_letters;
"""


async def _insert(database: Database, offset: int, **values: Any) -> None:
    row = {
        "topic": TOPIC,
        "partition": 0,
        "offset": offset,
        "dead_at": BEGINNING + timedelta(minutes=offset),
        "source_topic": "clerk.user-events",
        "event_id": f"msg_{offset}",
        "type": "user.updated",
        "clerk_user_id": "user_1",
        "error_class": "poison.data",
        "error_code": "REFUSED_VALUE",
        "reason": "$.data.id: too long",
        "attempts": 1,
    }
    await insert(database, "dead_letters", **row | values)


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(), [6, 4, 3, 2, 1, 0]),
        (Selection(limit=2), [6, 4]),
        (Selection(reason="TOO LONG"), [6, 4, 2, 1, 0]),
        (Selection(reason="refused"), [6, 4, 2, 1, 0]),
        (Selection(reason="%"), []),
        (Selection(error_class="bug"), [3]),
        (Selection(type="user.deleted"), [2]),
        (Selection(user="user_2"), [1]),
        (Selection(topic="clerk.org-events"), [4]),
        (Selection(topic=TOPIC, event="msg_6"), [6]),
        (Selection(since=BEGINNING + timedelta(minutes=3)), [6, 4, 3]),
        (Selection(until=BEGINNING + timedelta(minutes=1)), [0]),
        (Selection(states=("parked", "open"), reason="parked"), [5]),
        (Selection(states=("purged",)), []),
    ],
)
async def test_every_filter_selects(
    database: Database, selection: Selection, found: list[int]
) -> None:
    """Those that wait, the newest first; what is asked for is taken literally."""
    odd: dict[int, dict[str, Any]] = {
        1: {"clerk_user_id": "user_2"},
        2: {"type": "user.deleted"},
        3: {"error_class": "bug", "error_code": None, "reason": None},
        4: {"source_topic": "clerk.org-events"},
        5: {"state": "parked", "reason": "parked"},
    }
    for offset in range(7):
        await _insert(database, offset, **odd.get(offset, {}))

    assert [row["offset"] for row in await find_letters(database, selection)] == found


async def test_a_list_in_a_pipe_is_for_programs(database: Database) -> None:
    """A letter each line, its fields between tabs whatever they hold; or JSON."""
    await _insert(database, 0, reason="tab\tand\nline \x1b[2J", clerk_user_id=None)
    rows = await find_letters(database, Selection())
    plain, as_json = io.StringIO(), io.StringIO()
    tell_letters(rows, limit=5, as_json=False, console=Console(file=plain))
    tell_letters(rows, limit=5, as_json=True, console=Console(file=as_json))

    assert plain.getvalue() == (
        "2026-01-01T00:00:00Z\topen\tpoison.data\tREFUSED_VALUE\tuser.updated\t\tmsg_0\t1\t0"
        f"\t{TOPIC}/0/0\ttab�and�line �[2J\n"
    )
    assert json.loads(as_json.getvalue())["dead_at"] == "2026-01-01T00:00:00Z"


async def test_a_list_for_people_is_a_table(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says where there are more; brackets are no markup."""
    monkeypatch.setattr("deploy.letters.list.is_live", lambda: True)
    said = io.StringIO()
    console = Console(file=said, width=300)
    tell_letters([], limit=1, as_json=False, console=console)
    for offset in range(2):
        await _insert(database, offset, reason="[red]$.data[0]", event_id=None)
    rows = await find_letters(database, Selection(limit=2))
    tell_letters(rows, limit=1, as_json=False, console=console)

    assert said.getvalue().startswith("No letters.\ndied")
    assert f"{TOPIC}/0/1" in said.getvalue()
    assert "REFUSED_VALUE [red]$.data[0]" in said.getvalue()
    assert "these are the newest 1" in said.getvalue()


async def test_letters_are_counted_by_kind_and_time(database: Database) -> None:
    """By hours at first, also those without a letter; by days what spans more."""
    for offset in (0, 1, 200):
        await _insert(database, offset)
    await _insert(database, 201, error_class="bug", reason=WITHHELD, error_code=None, type=None)
    hours = await count_letters(database, Selection())
    await _insert(database, 60 * 24 * 5)
    days = await count_letters(database, Selection())

    assert (hours.total, hours.unit, days.total, days.unit) == (4, "hour", 5, "day")
    assert hours.by_class == {"poison.data": 3, "bug": 1}
    assert hours.by_reason == {"REFUSED_VALUE $.data.id: too long": 3, WITHHELD: 1}
    assert hours.by_type == {"user.updated": 3, "unknown": 1}
    assert list(hours.by_time.values()) == [2, 0, 0, 2]
    assert next(iter(days.by_time.items())) == ("2026-01-01T00:00Z", 4)
    assert list(days.by_time.values()) == [4, 0, 0, 0, 0, 1]


async def test_statistics_are_told_with_bars(database: Database) -> None:
    """Or as JSON; of nothing, that there is nothing."""
    said, as_json, nothing = io.StringIO(), io.StringIO(), io.StringIO()
    tell_statistics(
        await count_letters(database, Selection()), as_json=False, console=Console(file=nothing)
    )
    for offset in range(12):
        await _insert(database, offset, reason=f"reason {offset}")
    found = await count_letters(database, Selection())
    tell_statistics(found, as_json=False, console=Console(file=said))
    tell_statistics(found, as_json=True, console=Console(file=as_json))

    assert nothing.getvalue() == "0 letters\n"
    assert re.search(r"by class\n +12  █{30}  poison.data\n", said.getvalue())
    assert found.by_reason[REST] == 2
    assert json.loads(as_json.getvalue())["by_type"] == {"user.updated": 12}


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for each in plan.values():
            yield from _nodes(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from _nodes(each)


async def _explain(database: Database, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    plan = await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    return list(_nodes(json.loads(plan)))


@pytest.mark.parametrize(
    ("selection", "index", "most"),
    [
        (Selection(limit=50), "dead_letters_state_dead_at_idx", 60),
        (Selection(limit=50, reason="reason 3"), "dead_letters_state_dead_at_idx", 500),
        (Selection(limit=50, user="user_7"), "dead_letters_clerk_user_id_idx", 20),
        (Selection(limit=50, event="msg_77"), "dead_letters_event_id_idx", 1),
        (
            Selection(limit=50, since=BEGINNING + timedelta(seconds=99_990)),
            "dead_letters_state_dead_at_idx",
            11,
        ),
    ],
)
async def test_a_list_of_a_hundred_thousand_reads_few(
    database: Database, selection: Selection, index: str, most: int
) -> None:
    """By an index, and no more rows than are shown or a few times that."""
    await database.execute(MANY)
    nodes = await _explain(
        database, listing._SQL["list_letters"], *selection.arguments(), selection.limit
    )
    scans = [node for node in nodes if "Relation Name" in node or "Index Name" in node]
    read = sum(
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in scans
        if node.get("Relation Name") == "dead_letters"
    )

    assert {node["Index Name"] for node in scans if "Index Name" in node} == {index}
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}
    assert read <= most


async def test_what_is_counted_is_what_is_taken(database: Database) -> None:
    """Also under a limit: rehearsal, replay and purge have one condition."""
    await database.execute(MANY)
    selection = Selection(reason="reason 3", limit=1000)
    arguments = selection.arguments()
    planned = await database.fetch(
        plan._SQL["count_by_partition"], *arguments, plan._GOALS, selection.limit
    )
    purged = await purge.plan_purge(database, selection)
    operation = await purge.purge(database, selection)

    assert sum(row["letters"] for row in planned) == purged == operation.done == 1000
    assert (await count.count_letters(database, Selection(states=("purged",)))).total == 1000


async def test_an_event_is_traced(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ledger, letters and operations on one screen; what nobody knows has the exit code 1."""
    operation = "00000000-0000-4000-8000-000000000001"
    await insert(
        database,
        "events",
        event_id="msg_7",
        occurred_at=BEGINNING,
        type="user.updated",
        clerk_user_id="user_1",
        received_at=BEGINNING,
        applied_at=BEGINNING,
        outcome="applied",
        topic="clerk.user-events",
        partition=3,
        offset=17,
    )
    await _insert(database, 7, state="replayed", operation_id=operation, replays=1)
    await insert(
        database,
        "operations",
        id=operation,
        action="replay",
        operator="ada@console",
        selection="{}",
        planned=1,
        done=1,
        started_at=BEGINNING,
    )
    said = "\n".join(tell_trace(await trace(database, "msg_7")))
    unknown = "\n".join(tell_trace(await trace(database, "msg_8")))

    for part in (
        *("clerk.user-events/3/17", "applied", "user_1", f"{TOPIC}/0/7", "1 attempts, 1 replays"),
        *("replayed", operation, "by ada@console, not finished", "$.data.id: too long"),
    ):
        assert part in said
    assert "never received, or no worker has come to it yet" in unknown
    monkeypatch.setenv("DATABASE_URL", database_url)
    console = Console(file=io.StringIO())
    codes = [
        await asyncio.to_thread(run_trace, event_id, as_json=as_json, console=console)
        for event_id, as_json in (("msg_7", True), ("msg_8", False))
    ]
    assert codes == [0, 1]
