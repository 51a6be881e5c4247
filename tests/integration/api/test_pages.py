"""Pages of every list, while others write."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from schema.postgres.ids import derive_id, derive_post_id
from tests.integration.api.world import START, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from tests.integration.api.conftest import Client

    Write = Callable[[World, int, object], Awaitable[object]]


class Kind(NamedTuple):
    """A list, and what is in it."""

    path: str
    write: Write
    """Insert the row of a number, created at a time."""
    remove: str
    """Delete the row with such an id."""
    shown: str
    """The field that identifies a row."""
    name: Callable[[int], object]
    """Number -> what the field holds."""


async def write_post(world: World, number: int, at: object) -> None:
    """Insert a post of user_1."""
    await world.post("user_1", f"{number}", created_at=at)


async def write_session(world: World, number: int, at: object) -> None:
    """Insert a session of user_1."""
    await world.session("user_1", f"sess_{number}", created_at=at)


async def write_event(world: World, number: int, at: object) -> None:
    """Insert an event about user_1."""
    await world.event(f"msg_{number}", "user_1", occurred_at=at)


POST_GONE: Final = "UPDATE posts SET deleted_at = now() WHERE id = $1"
KINDS: Final = {
    "posts": Kind(
        "/v1/posts", write_post, POST_GONE, "id", lambda n: derive_post_id("user_1", f"{n}")
    ),
    "posts of a user": Kind(
        "/v1/users/user_1/posts",
        write_post,
        POST_GONE,
        "id",
        lambda n: derive_post_id("user_1", f"{n}"),
    ),
    "sessions": Kind(
        "/v1/users/user_1/sessions",
        write_session,
        "DELETE FROM sessions WHERE id = $1",
        "id",
        lambda n: derive_id(f"sess_{n}"),
    ),
    "history": Kind(
        "/v1/users/user_1/history",
        write_event,
        "DELETE FROM events WHERE event_id = $1",
        "event_id",
        lambda n: f"msg_{n}",
    ),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", KINDS)
async def test_who_pages_meets_everything_that_stays_once(
    client: Client, database: asyncpg.Connection[asyncpg.Record], name: str, seed: int
) -> None:
    """In one order, whatever comes and goes meanwhile, also many rows of one instant."""
    rng = random.Random(seed)  # noqa: S311 - only varies what happens
    kind = KINDS[name]
    world = World(database)
    await world.user("user_1")
    times = {number: START + timedelta(seconds=rng.randrange(12)) for number in range(40)}
    for number, at in times.items():
        await kind.write(world, number, at)
    gone: set[int] = set()
    found: list[str] = []
    cursor: str | None = ""
    fresh = 1000
    while cursor is not None:
        query = f"?limit={rng.randint(1, 7)}" + (f"&cursor={cursor}" if cursor else "")
        body = await (await client.get(kind.path + query, by="user_1")).json()
        found += [row[kind.shown] for row in body["data"]]
        cursor = body["next_cursor"]
        for number in rng.sample(sorted(times.keys() - gone), 2):
            gone.add(number)
            await database.execute(kind.remove, kind.name(number))
        await kind.write(world, fresh, START + timedelta(seconds=rng.randrange(-2, 14)))
        fresh += 1

    names = {number: str(kind.name(number)) for number in times}
    stayed = [names[number] for number in times if number not in gone]
    assert len(found) == len(set(found))
    assert set(stayed) <= set(found)
    assert set(found) <= {*names.values(), *(str(kind.name(n)) for n in range(1000, fresh))}
    newest_first = sorted(
        (number for number in times if names[number] in found),
        key=lambda number: (times[number], names[number].encode()),
        reverse=True,
    )
    met = [each for each in found if each in names.values()]
    assert met == [names[number] for number in newest_first]
