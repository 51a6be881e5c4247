"""The statements of a batch: how many there are, and that each finds its rows by an index."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schema.kafka.commands import DataDeletion
from schema.postgres.ids import derive_post_id
from schema.postgres.statements import read_statements
from tests.commands import change_post, command_record, create_post
from tests.factories import make_body, make_record, user_event
from workers import apply as apply_module
from workers import derive, edit, erase, record, rename, tell
from workers.apply import Policy, apply
from workers.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg
    from aiokafka import ConsumerRecord

    from workers.decode import Event

    Pool = asyncpg.Pool[asyncpg.Record]

TYPES = (
    *("user.updated", "user.deleted"),
    *("session.created", "session.ended", "session.pending"),
    *("organization.updated", "organization.deleted"),
    *("organizationMembership.created", "organizationMembership.deleted"),
    *("organizationInvitation.accepted", "email.created", "role.created"),
)
STATEMENTS = {
    name: statement
    for module in (apply_module, derive, edit, erase, record, rename, tell)
    for name, statement in read_statements(module.__file__ or "").items()
}
MOST = 27
IDS = re.compile(rb"(user|org|orgmem|orginv|sess)_37")


def _mixture(times: int) -> list[Event]:
    """Return events of every kind of ever others, a dead one and a replayed one."""
    again = make_record(make_body("user.created"), headers=[("x-replay-count", b"1")])
    events = [decode(make_record(b"{")), decode(again)]
    for number in range(times):
        for kind in TYPES:
            # All recorded ids begin alike.
            body = IDS.sub(rb"\1_%d_37" % number, make_body(kind))
            events.append(decode(make_record(body, event_id=f"msg_{kind}_{number}")))
        events += [decode(record) for record in _commands(f"user_{number}_37")]
    return events


def _commands(author: str) -> Iterator[ConsumerRecord[Any, Any]]:
    post = derive_post_id(author, "cmd_1")
    yield command_record(create_post(author, post), command_id=f"cmd_1{author}")
    yield command_record(change_post(author, post, title="New"), command_id=f"cmd_2{author}")
    unset = DataDeletion(user_id=author, key="preferences")
    yield command_record(unset, command_id=f"cmd_3{author}")


@pytest.fixture
async def seen(pool: Pool) -> list[str]:
    """What this pool's only connection is asked from now on, transactions aside."""
    queries: list[str] = []
    async with pool.acquire() as connection:
        connection.add_query_logger(
            lambda query: queries.append(query.query) if "-- name" not in query.query else None
        )
    return queries


def _statements(queries: list[str]) -> list[str]:
    names = {statement: name for name, statement in STATEMENTS.items()}
    return [names[query] for query in queries if query in names]


@pytest.mark.parametrize("erase_after", [timedelta(0), timedelta(days=1)])
async def test_a_batch_is_twenty_seven_statements_at_most(
    pool: Pool, seen: list[str], erase_after: timedelta
) -> None:
    """Their number grows neither with the batch nor with what is in it."""
    counts = []
    for times in (1, 40):
        author = [decode(record) for record in _commands(f"user_{times}_gone")]
        calm = [decode(make_record(user_event(f"user_{times}_calm", at=at))) for at in (0, 1)]
        batch = [*_mixture(times), *author, calm[0]]
        await apply(pool, batch, Policy(erase_after=erase_after))
        seen.clear()
        goes = decode(make_record(user_event(f"user_{times}_gone", at=0, kind="user.deleted")))
        comes = decode(make_record(user_event(f"user_{times}", at=0)))
        batch = [*_mixture(times), goes, comes, calm[1]]
        await apply(pool, batch, Policy(erase_after=erase_after))
        counts.append(_statements(seen))

    assert counts[0] == counts[1]
    assert len(counts[0]) == len(set(counts[0])) <= MOST
    # Who erases waits for those who name, and not the other way round.
    assert set(counts[0]) == STATEMENTS.keys() - {"wait_for_erasures"}


async def test_updates_alone_are_four_statements(pool: Pool, seen: list[str]) -> None:
    """What nothing in the batch needs is not run."""
    await apply(pool, [decode(make_record(user_event("user_1", at=0)))])
    seen.clear()
    await apply(pool, [decode(make_record(user_event("user_1", at=n))) for n in range(1, 9)])

    assert _statements(seen) == [
        *("find_users", "upsert_users"),
        *("add_names", "record_events"),
    ]


FILL = """
    INSERT INTO users (id, clerk_id)
    SELECT gen_random_uuid(), 'user_' || n FROM generate_series(1, 3000) AS n;
    INSERT INTO organizations (id, clerk_id)
    SELECT gen_random_uuid(), 'org_' || n FROM generate_series(1, 3000) AS n;
    INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'sess_' || id, id, 'active', now(), now() FROM users;
    INSERT INTO organization_memberships
        (id, clerk_id, organization_id, user_id, role, created_at, updated_at)
    SELECT gen_random_uuid(), 'orgmem_' || n, o.id, u.id, 'org:member', now(), now()
    FROM (SELECT id, row_number() OVER () AS n FROM users) AS u
    JOIN (SELECT id, row_number() OVER () AS n FROM organizations) AS o USING (n);
    INSERT INTO organization_invitations
        (id, clerk_id, organization_id, user_id, role, created_at, accepted_at)
    SELECT id, clerk_id, organization_id, user_id, role, now(), now()
    FROM organization_memberships;
    INSERT INTO user_names (user_id, version) SELECT id, n FROM users, generate_series(1, 3) AS n;
    INSERT INTO user_data SELECT id, 'session_count', '1' FROM users;
    INSERT INTO events (event_id, occurred_at, type, clerk_user_id, received_at, applied_at,
        outcome, topic, partition, "offset")
    SELECT clerk_id, now(), 'user.created', clerk_id, now(), now(), 'applied', 't', 0, 0
    FROM users;
    INSERT INTO outbox (position, topic, key, type, owner, state)
    SELECT row_number() OVER (), 'user.changes', clerk_id, 'clerkwork.user.created', clerk_id, '{}'
    FROM users;
    INSERT INTO posts (id, user_id, title, status, created_at, updated_at)
    SELECT gen_random_uuid(), id, 'Hello', 'published', now(), now() FROM users;
    INSERT INTO outbox (position, topic, key, type, owner, public, state)
    SELECT 3000 + row_number() OVER (), 'post.changes', posts.id::text,
        'clerkwork.post.created', clerk_id, true, '{}'
    FROM posts JOIN users ON users.id = posts.user_id;
    INSERT INTO relay_progress (name, position, published_at) VALUES ('outbox', 1, now());
    ANALYZE;
"""


def _scans(plan: Any) -> Iterator[str]:
    """Yield the tables that a plan reads from one end to the other."""
    if isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan":
            yield plan["Relation Name"]
        for each in plan.values():
            yield from _scans(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from _scans(each)


async def test_an_index_stands_behind_each_statement(pool: Pool) -> None:
    """Where there is another way, no statement reads a table from end to end."""
    await pool.execute(FILL)
    scans: dict[str, list[str]] = {}
    for name, statement in STATEMENTS.items():
        numbers = {int(number) for number in re.findall(r"\$(\d+)", statement)}
        nothing = ", ".join(["NULL"] * max(numbers, default=0))
        async with pool.acquire() as connection, connection.transaction():
            # The planner that knows no values is the one of prepared statements.
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await connection.execute("SET LOCAL enable_seqscan = off")
            await connection.execute(f"PREPARE {name} AS {statement}")
            plan = await connection.fetchval(
                f"EXPLAIN (FORMAT JSON) EXECUTE {name}{nothing and f'({nothing})'}"
            )
            await connection.execute(f"DEALLOCATE {name}")
        scans[name] = list(_scans(json.loads(plan)))

    assert scans == {name: [] for name in STATEMENTS}
