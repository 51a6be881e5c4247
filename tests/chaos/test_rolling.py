"""A deployment goes on while all of it is replaced: code, tables, secrets and passwords."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from typing import TYPE_CHECKING, Final

import asyncpg
import pytest

from deploy.doctor.postgres import check_revision
from deploy.doctor.verdict import Status
from deploy.sign import new_signing_secret
from deploy.tokens import ISSUER, mint_token, new_private_key, public_key
from schema import VERSION
from schema.http.tokens.claims import READ_SCOPE
from tests.changes import read_changes
from tests.chaos.balancer import Balancer
from tests.chaos.fleet import NEXT, ROOT, Fleet, Release, Sharers, make_next_release
from tests.chaos.public import Public
from tests.chaos.stories import make_story
from tests.factories import SECRET, new_user_id
from tests.integration.workers.order.told import wrongly_told
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Troupe

    Database = asyncpg.Connection[asyncpg.Record]

EVENTS: Final = 480
LATEST_S: Final = 20
"""No event is applied later, however slow the machine is that has to start 16 processes."""


@pytest.fixture
async def balancers() -> AsyncIterator[Mapping[str, Balancer]]:
    """What stands before ingest and the API."""
    async with Balancer() as ingest, Balancer() as api:
        yield {"ingest": ingest, "api": api}


async def test_all_is_replaced_under_load(
    chance: random.Random,
    troupe: Troupe,
    balancers: Mapping[str, Balancer],
    database: Database,
    database_url: str,
    witness: Witness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a newer release and back: no request fails, no event is lost, all is told in the end."""
    monkeypatch.setenv("DATABASE_URL", database_url)  # the doctor's
    newer, secret = tmp_path / "next", new_signing_secret()
    await asyncio.to_thread(make_next_release, newer)
    before, after = [await _add_login(database, database_url) for _ in range(2)]
    private_key = new_private_key()
    environment = _environment(private_key, kafka=troupe.kafka)

    def release(tree: Path, login: str, *signing: str) -> Release:
        told = {"DATABASE_URL": login, "CLERK_WEBHOOK_SIGNING_SECRET": ",".join(signing)}
        return Release(tree=tree, environment={**environment, **told})

    public = Public(
        ingest=balancers["ingest"].port,
        api=balancers["api"].port,
        token=mint_token(private_key, user_id=new_user_id(), minutes=10, scopes=[READ_SCOPE]),
        story=make_story(chance, events=EVENTS),
        chance=chance,
    )
    fleet = Fleet(troupe, balancers)
    await fleet.start(release(ROOT, before, SECRET))
    async with public.following():
        async with public.busy():
            await _migrate(newer, database_url)
            ahead = await check_revision()
            await fleet.roll(release(newer, after, SECRET, secret))
            public.secret = secret
            await _drop_login(database, before)
            await fleet.roll(release(ROOT, after, secret))
        assert public.mistakes == []
        await _check_told(database, public, witness)

    assert public.mistakes == []  # of the stream
    assert await public.refused(SECRET)
    assert fleet.codes == [0] * 16
    assert frozenset([VERSION, NEXT]) in fleet.mixtures
    assert ahead.status is Status.WARNING


async def test_a_shared_port_has_a_new_process(
    chance: random.Random, troupe: Troupe, database_url: str
) -> None:
    """One that listens beside another relieves it, without a balancer: no request fails."""
    private_key = new_private_key()
    told = {"DATABASE_URL": database_url, "CLERK_WEBHOOK_SIGNING_SECRET": SECRET}
    environment = {**_environment(private_key, kafka=troupe.kafka), **told}
    fleet = Sharers(troupe, environment)
    public = Public(
        ingest=fleet.ports["ingest"],
        api=fleet.ports["api"],
        token=mint_token(private_key, user_id=new_user_id(), minutes=10, scopes=[READ_SCOPE]),
        story=make_story(chance, events=120),
        chance=chance,
    )
    old = await fleet.start()
    async with public.busy():
        await fleet.start()
        codes = [await asyncio.to_thread(each.stop) for each in old.values()]

    assert public.mistakes == []
    assert codes == [0, 0]


def _environment(private_key: str, *, kafka: str) -> Mapping[str, str]:
    """Return what every process is told, whatever the release."""
    return {
        "CLERK_ISSUER": ISSUER,
        "CLERK_JWT_KEY": public_key(private_key),
        "API_RATE_LIMITS": "off",
        "INGEST_RATE_LIMITS": "off",
        "HTTP_DRAIN_S": "0.7",
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "WORKER_BATCH_SIZE": "20",
        "RELAY_BATCH_SIZE": "20",
    }


async def _check_told(database: Database, public: Public, witness: Witness) -> None:
    """Fail unless all that was accepted is in the tables, in time, and on the topics."""
    await witness.check(public.story)
    events = list(public.posts)
    await until(lambda: _applied(database, events), len(events).__eq__)
    assert await database.fetchval(_POSTS, list(public.posts.values())) == len(events)
    async with asyncpg.create_pool(witness.database_url, min_size=1, max_size=1) as pool:
        assert await wrongly_told(pool) == []
    told = {row["position"] for row in await database.fetch("SELECT position FROM outbox")}
    seen = await until(
        lambda: read_changes(witness.bootstrap_servers, told), lambda seen: len(seen) >= len(told)
    )
    shown = {row["position"] for row in await database.fetch(_PUBLIC)}
    await until(lambda: _missed(public, shown), (0).__eq__)

    assert sorted(each.position for each in seen) == sorted(told)
    assert public.followed == sorted(set(public.followed))
    latest_s = await database.fetchval(_LATENESS, [*public.story.ids, *events])
    print(f"{public.answers}, the latest after {latest_s} s")  # noqa: T201  # shown by pytest -s
    assert latest_s < LATEST_S


async def _missed(public: Public, shown: set[int]) -> int:
    return len(shown.difference(public.followed))


async def _applied(database: Database, events: list[str]) -> int:
    return await database.fetchval(_APPLIED, events)


async def _migrate(tree: Path, database_url: str) -> None:
    """Do what the operator does first, with the new release's console."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "migrate"),
        cwd=tree,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def _add_login(database: Database, database_url: str) -> str:
    """Make a login as the operator does, and return the URL with it."""
    name, password = f"login_{secrets.token_hex(4)}", secrets.token_hex(8)
    await database.execute(_as_written("CREATE ROLE", name).replace("'secret'", f"'{password}'"))
    return f"postgresql://{name}:{password}@{database_url.rpartition('@')[2]}"


async def _drop_login(database: Database, url: str) -> None:
    """Drop a login that nobody uses any more, as the operator does."""
    name = url.removeprefix("postgresql://").partition(":")[0]
    await until(lambda: database.fetchval(_as_written("SELECT count", name)), (0).__eq__)
    await database.execute(_as_written("DROP ROLE", name))


def _as_written(begins: str, login: str) -> str:
    """Return a statement of the page for operators, about that login."""
    page = (ROOT / "deploy/docs/how-to/upgrade.md").read_text("utf-8")
    found = re.findall(r"^ *```sql\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    [statement] = [each for each in found if each.strip().startswith(begins)]
    of_role = statement.replace("clerkwork_worker", "pg_read_all_data, pg_write_all_data")
    return re.sub("worker_[ab]", login, of_role)


_POSTS: Final = "SELECT count(*) FROM posts WHERE id = ANY($1::text[]::uuid[])"
_APPLIED: Final = """
    SELECT count(*) FROM events WHERE event_id = ANY($1::text[]) AND outcome IN ('applied', 'stale')
"""
_PUBLIC: Final = "SELECT position FROM outbox WHERE public"
_LATENESS: Final = """
    SELECT extract(epoch FROM max(applied_at - received_at))
    FROM events WHERE event_id = ANY($1::text[])
"""
