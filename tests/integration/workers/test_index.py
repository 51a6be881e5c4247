"""The index of dead letters, on a real PostgreSQL."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from schema.kafka.headers import Failure, write_failure_headers
from schema.kafka.letters import REPLAY_LIMIT
from tests.factories import inbound_headers, make_record
from tests.rows import BEGINNING, insert_held_back, insert_user
from workers.index import index

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import ConsumerRecord

    Database = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

TOPIC = "clerk.user-events.dlq"
NAMES = ["ce_id", "ce_type", "ce_subject", "x-error-class", "x-error-code", "x-error-message"]
NAMES += ["x-attempt", "x-replay-count", "x-first-failed-at", "x-original-offset", "x-edited"]
NASTY = [
    *(None, b"", b"\x00", b"a\x00b", b"\xff\xfe", b"\xed\xa0\x80", "ü".encode() * 400, b"x" * 5000),
    *(b"-1", b"2147483648", b"9223372036854775808", b"9" * 40, "٣".encode(), b"1_0", b"nan"),
    *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"infinity", b"true"),
]


def _letter(
    offset: int, *, subject: str | None = None, extra: Any = (), topic: str = TOPIC
) -> ConsumerRecord[Any, Any]:
    failure = Failure(error_class="bug", error_code="KeyError", message="'id'")
    headers = [
        *inbound_headers(f"msg_{offset}", subject=subject),
        *write_failure_headers(failure),
        *extra,
    ]
    return make_record(b"{}", topic=topic, offset=offset, headers=headers)


async def test_letters_are_indexed_once(pool: Pool) -> None:
    """Consumed twice, also in part and together with new ones, they have a row each."""
    letters = [_letter(n) for n in range(5)]

    assert await index(pool, letters[:3]) == 3
    assert await index(pool, letters) == 2
    assert await index(pool, letters) == 0
    assert await pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 5


async def test_the_state_of_a_letter_is_the_operators(pool: Pool) -> None:
    """A worker that reads it again leaves it as it is."""
    await index(pool, [_letter(1)])
    await pool.execute("UPDATE dead_letters SET state = 'replayed', clerk_user_id = NULL")
    await index(pool, [_letter(1, subject="user_1")])
    row = await pool.fetchrow("SELECT * FROM dead_letters")

    assert row
    assert (row["state"], row["clerk_user_id"], row["error_class"]) == ("replayed", None, "bug")


async def test_what_was_replayed_too_often_is_parked(pool: Pool) -> None:
    """From the count in its headers."""
    counts = [REPLAY_LIMIT - 1, REPLAY_LIMIT, REPLAY_LIMIT + 1]
    letters = [_letter(n, extra=[("x-replay-count", str(n).encode())]) for n in counts]
    await index(pool, letters)
    rows = await pool.fetch('SELECT state, replays FROM dead_letters ORDER BY "offset"')

    assert [tuple(row) for row in rows] == [
        ("open", counts[0]),
        ("parked", counts[1]),
        ("parked", counts[2]),
    ]


async def test_nothing_names_the_erased(pool: Pool, database: Database) -> None:
    """Whose data is held back is not erased yet; whom nobody knows is not either."""
    living = await insert_user(database)
    held_back = await insert_held_back(database, until=BEGINNING)
    erased = await insert_user(database, status="deleted", deleted_at=BEGINNING)
    people = [living, held_back, erased, "user_unseen"]
    await index(pool, [_letter(n, subject=each) for n, each in enumerate(people)])
    rows = await pool.fetch('SELECT clerk_user_id FROM dead_letters ORDER BY "offset"')

    assert [row["clerk_user_id"] for row in rows] == [living, held_back, None, "user_unseen"]


async def test_whatever_the_headers_they_can_be_indexed(pool: Pool) -> None:
    """One letter that PostgreSQL refused would keep all others out of the index."""
    letters = [
        make_record(b"", topic=TOPIC, offset=number, headers=[("x-error-class", b"bug"), header])
        for number, header in enumerate((name, value) for name in NAMES for value in NASTY)
    ]

    assert await index(pool, letters) == len(NAMES) * len(NASTY)


async def test_times_that_no_clock_shows_can_be_indexed(pool: Pool) -> None:
    """Producers choose the time of a record."""
    letters = [
        dataclasses.replace(_letter(number), timestamp=timestamp)
        for number, timestamp in enumerate([-1, 0, 2**63 - 1])
    ]

    assert await index(pool, letters) == len(letters)
