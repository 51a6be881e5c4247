"""The swap: what hung on the old tables hangs on the new ones, and nobody at work notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from api.app import build_app
from api.settings import ApiSettings
from deploy.contracts.catalog import read_facts
from deploy.contracts.check import find_drift
from deploy.contracts.generate import ROWS_FILE
from deploy.environment import ROOT
from deploy.rebuild.shadow import TABLES
from deploy.tokens import ISSUER, mint_token, new_private_key, public_key
from schema.postgres.ids import derive_id
from schema.postgres.tables import METADATA
from tests.chaos.stories import make_story, publish
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.integration.workers.order.histories import seeded
from tests.rows import insert_user
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.chaos.stories import Story
    from tests.integration.deploy.rebuild.conftest import Scene

RIGHTS = """
    SELECT c.relname, pg_get_userbyid(relowner), grantee::regrole::text, privilege_type,
        is_grantable, column_name
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT NULL AS column_name, r.*
        FROM aclexplode(coalesce(relacl, acldefault('r', relowner))) AS r
        UNION ALL
        SELECT attname::text, r.* FROM pg_attribute, aclexplode(attacl) AS r WHERE attrelid = c.oid
    ) AS rights
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY($1::text[])
    ORDER BY 1, 3, 4, 6
"""


async def _spoil(scene: Scene) -> None:
    """Have something to swap for."""
    await scene.database.execute("UPDATE users SET last_name = 'Mallory'")


async def _add(scene: Scene, user: str, *, at: int = 1) -> None:
    event_id = new_event_id()
    await scene.producer.send_and_wait(
        "clerk.user-events",
        user_event(user, at=at, public_metadata={}),
        key=user.encode(),
        headers=inbound_headers(event_id, subject=user),
    )
    await until(
        lambda: scene.database.fetchval(
            "SELECT count(*) FROM events WHERE event_id = $1", event_id
        ),
        lambda count: count == 1,
    )


async def test_the_new_tables_are_as_the_old_ones(scene: Scene, story: Story) -> None:
    """In all that the contracts look at; with rights, owner and references from other tables."""
    database = scene.database
    async with scene.worker():
        await scene.tell(story)
    await database.execute("""
        DO $$ BEGIN
            CREATE ROLE rebuild_reader; CREATE ROLE rebuild_owner;
        EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT ON users, sessions TO rebuild_reader WITH GRANT OPTION;
        GRANT SELECT (role), UPDATE (role) ON organization_memberships TO PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO rebuild_owner;
        ALTER TABLE user_names OWNER TO rebuild_owner;
        CREATE TABLE likes (user_id uuid REFERENCES users ON DELETE CASCADE);
        INSERT INTO likes SELECT id FROM users;
    """)
    await _spoil(scene)
    oid = await database.fetchval("SELECT 'users'::regclass::oid")
    rights = await database.fetch(RIGHTS, list(TABLES))
    likes = await database.fetchval("SELECT count(*) FROM likes")
    rebuilt = await scene.rebuild()
    found, declared = await read_facts(scene.url, declared=METADATA)
    drift = list(find_drift(found, declared, rows_source=ROWS_FILE.read_text(encoding="utf-8")))
    after = await database.fetch(RIGHTS, list(TABLES))
    await database.execute("DELETE FROM users")
    left = await database.fetchval("SELECT count(*) FROM likes")
    await database.execute("DROP TABLE likes; DROP OWNED BY rebuild_owner, rebuild_reader")

    assert rebuilt.settled.swapped
    assert await database.fetchval("SELECT 'users'::regclass::oid") != oid
    assert {each.table for each in drift} <= {"likes"}
    assert after == rights
    assert likes > 0
    assert left == 0


async def test_who_refers_to_a_user_who_never_was_stops_it(scene: Scene) -> None:
    """Nothing is changed then: somebody must decide what becomes of the row that refers to them."""
    async with scene.worker():
        await _add(scene, new_user_id())
    await insert_user(scene.database)
    await scene.database.execute(
        "CREATE TABLE likes (user_id uuid REFERENCES users); INSERT INTO likes SELECT id FROM users"
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await scene.rebuild()

    assert await scene.database.fetchval("SELECT count(*) FROM users") == 2


async def test_what_was_replaced_can_be_kept(scene: Scene, story: Story) -> None:
    """Aside, until the next one."""
    async with scene.worker():
        await scene.tell(story)
    for _ in range(2):
        await _spoil(scene)
        await scene.rebuild(keep=True)

    assert await scene.wrong(story) == []
    assert await scene.database.fetchval(
        "SELECT bool_and(last_name = 'Mallory') FROM before_rebuild.users"
    )


@contextlib.asynccontextmanager
async def _serving(scene: Scene) -> AsyncIterator[tuple[TestClient[Any, Any], str]]:
    key = new_private_key()
    settings = ApiSettings(
        database_url=SecretStr(scene.url), clerk_jwt_key=public_key(key), clerk_issuer=ISSUER
    )
    async with TestClient(TestServer(build_app(settings))) as client:
        yield client, key


async def test_nobody_who_is_at_work_notices(scene: Scene, story: Story) -> None:
    """Every request is answered, prepared statements go on, and no event is lost."""
    user = new_user_id()
    later = make_story(seeded(2), events=480)
    over = asyncio.Event()
    async with scene.worker(), _serving(scene) as (client, key):
        await scene.tell(story)
        await _add(scene, user)
        headers = {"Authorization": f"Bearer {mint_token(key, user_id=user, minutes=5)}"}
        reader = await asyncpg.connect(scene.url)
        prepared = await reader.prepare("SELECT last_name FROM users WHERE id = $1")

        async def ask() -> list[int]:
            answers = []
            while not over.is_set():
                async with client.get("/v1/users?limit=100", headers=headers) as answer:
                    answers.append(answer.status)
                async with client.get("/v1/me", headers=headers) as answer:
                    answers.append(answer.status)
            return answers

        async def look() -> list[str]:
            return [await prepared.fetchval(derive_id(user)) async for _ in _while(over)]

        asking, looking = asyncio.create_task(ask()), asyncio.create_task(look())
        await _spoil(scene)
        publishing = asyncio.create_task(publish(scene.producer, later.told))
        rebuilt = await scene.rebuild()
        await publishing
        await scene.applied(later)
        over.set()
        answers, names = await asking, await looking
        await reader.close()

    wrong = [line for line in await scene.wrong(story, later) if str(derive_id(user)) not in line]
    assert rebuilt.settled.swapped
    assert set(answers) == {200}
    assert "Mallory" in names
    assert names[-1] != "Mallory"
    assert [line for line in wrong if not line.startswith("events ")] == []


async def _while(over: asyncio.Event) -> AsyncIterator[None]:
    while not over.is_set():
        yield
        await asyncio.sleep(0)


@pytest.mark.parametrize("answer", [True, False])
async def test_an_answer_decides(
    scene: Scene, story: Story, monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    """Nobody waits while the operator thinks, and what comes meanwhile is in the tables too."""
    asked: list[str] = []

    def agree(question: str, *, yes: bool) -> bool:
        asked.append(question)
        return answer or yes

    monkeypatch.setattr("deploy.rebuild.run.agree", agree)
    async with scene.worker():
        await scene.tell(story)
        await scene.database.execute("UPDATE users SET role = 'admin' WHERE status = 'active'")
        rebuilt = await scene.rebuild(yes=False)

    assert len(asked) == 1
    assert (rebuilt.settled.swapped is not None) is answer
    assert (await scene.wrong(story) == []) is answer


async def _console(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "rebuild", *arguments),
        cwd=ROOT,
        env=dict(os.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_asks_tells_and_returns(scene: Scene) -> None:
    """1 while something differs, with nobody to ask; 0 once it is swapped, and when all is well."""
    user = new_user_id()
    async with scene.worker():
        await _add(scene, user)
    await _spoil(scene)
    as_json = await _console("--dry-run", "--json")
    dry = await _console("--dry-run")
    unasked = await _console()
    swapped = await _console("--yes")
    again = await _console("--yes", "--json")
    found = json.loads(as_json[1])

    assert [code for code, _, _ in (as_json, dry, unasked, swapped, again)] == [1, 1, 1, 0, 0]
    assert found["tables"]["users"] == {
        "only_live": 0,
        "only_rebuilt": 0,
        "differing": 1,
        "columns": {"last_name": 1},
    }
    assert found["differences"] == [
        {"table": "users", "key": user, "column": "last_name", "live": "•••", "rebuilt": "•••"}
    ]
    assert f"users {user} last_name: ••• -> •••\n1 rows differ; nothing was changed.\n" in dry[1]
    assert unasked[2] == (
        "1 rows differ. Put the rebuilt tables in their place?"
        " Nobody is here to answer: say --yes.\n"
    )
    assert "others are told of 1 users" in swapped[1]
    assert json.loads(again[1])["equal"] is True
