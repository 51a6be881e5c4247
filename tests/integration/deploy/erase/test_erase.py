"""A person with everything is erased, and nothing that anybody keeps has a word of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from deploy.personal.tables import TABLES
from deploy.stack.kafka import SETTINGS
from schema.kafka.topics import POST_CHANGES, TOPICS, USER_CHANGES, USER_EVENTS, dead_letter_topic
from tests.changes import put_changes, spread_keys
from tests.desk import insert_admin
from tests.factories import new_user_id, user_event
from tests.integration.deploy.erase.life import (
    IP,
    MARK,
    TEXTS,
    find_neighbour,
    write_end,
    write_life,
    write_retry,
    write_unreadable,
    write_update,
)
from tests.integration.deploy.erase.search import without
from tests.integration.deploy.erase.stage import Stage, opened_stage, read_commands
from tests.letters import find_letters, wait_for_letters
from tests.memory import scratch_directory
from tests.waiting import until

if TYPE_CHECKING:
    import pytest

FAULT = "ALTER TABLE users ADD CONSTRAINT fault CHECK (first_name NOT LIKE 'Faulty%')"
DLQ = dead_letter_topic(USER_EVENTS)

MAPPED = (
    *(f"{table}.{name}" for table, holding in TABLES.items() for name in holding.personal),
    *(f"{topic.name} value" for topic in TOPICS),
    "pg_stats",
)
"""Where the map says that something personal may be."""

FULL = {
    *("users.email", "users.first_name", "users.public_metadata", "user_names.last_name"),
    *("user_data.value", "sessions.ip_address", "posts.title", "posts.body", "outbox.state"),
    *("clerk.user-events value", "clerk.org-events value", "app.user-commands value"),
    *("clerk.user-events.retry.10s value", "clerk.user-events.dlq value"),
    *("clerk.unreadable.dlq value", "user.changes value", "post.changes value", "pg_stats"),
}
"""Where this person is."""

NAMED = (
    *("users.clerk_id", "events.clerk_user_id", "outbox.key", "outbox.owner"),
    *("operations.selection", "user.changes key", "user.changes ce_subject", "pg_stats"),
    *("ingest.log", "worker.log", "api.log", "desk.log"),
)
"""Where a bare id outlives them."""


async def _live(stage: Stage, person: str, neighbour: str) -> None:
    """Have everything happen that clerkwork can keep of somebody."""
    api, ingest = stage.system.api_url, stage.system.commands_url
    ids = [await stage.tell(body) for body in write_life(person)]
    await stage.tell(write_unreadable(person), status="quarantined")
    await stage.until_dealt_with(*ids)
    await stage.database.execute(FAULT)
    await stage.tell(user_event(neighbour, at=1, first_name="Faulty"))
    await wait_for_letters(stage.database, neighbour, count=1)
    dead = [
        await stage.tell(write_update(person, at=at, first_name="Faulty Zephyr"))
        for at in (2 * 10**9, 3 * 10**9)
    ]
    await stage.until_dealt_with(*dead)
    value, headers = write_retry(person, datetime.now(UTC))
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka) as producer:
        await producer.send_and_wait(
            "clerk.user-events.retry.10s", value, key=person.encode(), headers=headers
        )
    draft = {"title": "Zephyr", "body": "Of Zephyrville.", "status": "published"}
    said = [
        await stage.ask(person, "POST", f"{ingest}/v1/posts", json=draft),
        await stage.ask(person, "PUT", f"{ingest}/v1/me/data/feature_flags", json={"zephyr": True}),
    ]
    await stage.until_dealt_with(*(each["event_id"] for each in said))
    await stage.ask(person, "GET", f"{api}/v1/me")
    await stage.ask(neighbour, "GET", f"{api}/v1/posts")
    await wait_for_letters(stage.database, person, count=2)
    admin = await insert_admin(stage.database)
    letter = (await find_letters(stage.database, person))[0]
    place = f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
    assert person in await stage.watch(admin, f"/letters/{place}")
    assert person in await stage.watch(admin, f"/events/{dead[0]}")
    mend = f"clerkwork dlq edit {place} --yes --set 'data.first_name=\"Zephyrmended\"'"
    await stage.run(mend, person=person)
    await stage.database.execute("ANALYZE")


async def test_whoever_is_erased_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, the search finds them where the map says; afterwards, nothing but bare ids."""
    haste = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "500"}
    monkeypatch.setattr("deploy.stack.kafka.SETTINGS", SETTINGS | haste)
    person = new_user_id()
    neighbour = find_neighbour(person, DLQ.partitions)
    look, remove, confirm = read_commands()
    with scratch_directory() as data:
        async with opened_stage(data) as stage:
            await _live(stage, person, neighbour)
            before = await stage.search(*TEXTS)
            await stage.until_dealt_with(await stage.tell(write_end(person)))
            seen = await stage.run(look, person=person)
            removed = await stage.run(f"{remove.strip()} --also {IP}", person=person)
            await stage.make_haste()

            # A segment is closed by what comes after it in its partition; then it is compacted.
            async def go_on() -> set[str]:
                for topic in (USER_CHANGES, POST_CHANGES):
                    await put_changes(stage.database, spread_keys(1), topic=topic.name)
                return await stage.search_topics(*TEXTS)

            await until(go_on, lambda places: not places)
            after = await stage.search(*TEXTS)
            named, confirmed = await asyncio.gather(
                stage.search(person), stage.run(confirm, person=person)
            )
            letters = await find_letters(stage.database, neighbour)

    assert without(before, *MAPPED) == set()
    assert before >= FULL
    assert "retention takes them after" in seen
    assert MARK not in seen + removed
    assert after == set()
    assert without(named, *NAMED) == set()
    assert "No record in Kafka" in confirmed
    assert [letter["state"] for letter in letters] == ["open"]
