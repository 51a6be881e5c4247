"""Dead letters at the desk, from the list to the replay, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from deploy.letters.run import Wishes, run_resume
from deploy.topics import connected_admin
from tests.desk import insert_admin, seated, serving_desk
from tests.letters import (
    FIX,
    die,
    find_letters,
    find_outcomes,
    run,
)
from tests.waiting import until

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    from tests.desk import Answer, Seat

    Database = asyncpg.Connection[asyncpg.Record]

SLOW = {"rate": "0.01"}
"""The first letter at once, the second in a hundred seconds."""


async def _finish(seat: Seat, begun: Answer) -> dict[str, Any]:
    """Return the progress of an operation once it is done."""
    assert begun.status == 303, begun.shown
    progress = f"{begun.headers['Location']}/progress"

    async def look() -> dict[str, Any]:
        return dict(json.loads((await seat.get(progress)).text))

    return await until(look, lambda found: found["state"] == "finished")


async def _replay(seat: Seat, user: str, count: int, **form: str) -> Answer:
    """Post what the dry run of a user's letters has in its form."""
    said = {"user": user, "state": "open", "limit": str(count)} | form
    return await seat.act(f"/letters/plan?action=replay&user={user}", "/letters/replay", **said)


def _page_of(row: Any) -> str:
    return f"/letters/{row['topic']}/{row['partition']}/{row['offset']}"


@pytest.mark.usefixtures("worker")
async def test_letters_are_looked_at_and_replayed(
    producer: AIOKafkaProducer, database: Database, user: str, admin: str, seat: Seat
) -> None:
    """What the dry run told is replayed in the background, as the operator that the audit names."""
    ids = await die(producer, database, user, count=5)
    listed = await seat.get(f"/letters?user={user}")
    planned = await seat.get(f"/letters/plan?action=replay&user={user}")
    await database.execute(FIX)
    begun = await _replay(seat, user, 5)
    progress = await _finish(seat, begun)
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    operation = await database.fetchrow("SELECT * FROM operations")
    traced = await seat.get(f"/events/{ids[0]}")

    assert all(each in listed.text for each in ids)
    assert 'name="limit" value="5"' in planned.text
    assert progress == {"planned": 5, "done": 5, "state": "finished"}
    assert len(await find_letters(database, user, "replayed")) == 5
    assert operation
    assert (operation["operator"], operation["action"]) == (admin, "replay")
    assert admin in (await seat.get("/audit")).shown
    assert "finished" in (await seat.follow(begun)).shown
    assert all(each in traced.shown for each in ("Became a dead letter", "Replayed", "Applied"))


@pytest.mark.usefixtures("worker")
async def test_no_more_is_done_than_was_told(
    producer: AIOKafkaProducer, database: Database, user: str, seat: Seat
) -> None:
    """What died after the dry run is none of its business; without one, nothing is done."""
    await die(producer, database, user, count=3)
    unplanned = await _replay(seat, user, 0)
    purged = await seat.act("/audit", "/letters/purge", user=user, state="open", limit="2")
    replayed = await seat.act("/audit", "/letters/replay", state="replayed", limit="2")

    assert (unplanned.status, replayed.status) == (400, 400)
    assert "Plan it first" in unplanned.shown
    assert (await _finish(seat, purged))["done"] == 2
    states = [row["state"] for row in await find_letters(database, user)]
    assert states == ["purged", "purged", "open"]


@pytest.mark.usefixtures("worker")
async def test_personal_data_is_shown_to_who_asks_and_the_audit_knows(
    producer: AIOKafkaProducer, database: Database, user: str, admin: str, seat: Seat
) -> None:
    """A letter is masked; one press of a button shows it, and writes down who pressed it."""
    [event] = await die(producer, database, user, count=1)
    [row] = await find_letters(database, user)
    path = _page_of(row)
    masked = await seat.get(path)
    got = await seat.get(f"{path}/reveal")
    before = await database.fetchval("SELECT count(*) FROM operations")
    revealed = await seat.act(path, f"{path}/reveal")
    noted = await database.fetch("SELECT * FROM operations")
    audit = await seat.get("/audit")

    assert event in masked.shown
    assert "Faulty" not in masked.text
    assert "@example.com" not in masked.text
    assert "Faulty" in revealed.shown
    assert (got.status, before) == (405, 0)
    assert [(each["operator"], each["planned"]) for each in noted] == [(admin, 0)]
    assert json.loads(noted[0]["selection"]) == {
        "reveal": f"{row['topic']}/{row['partition']}/{row['offset']}",
        "event": event,
    }
    assert "reveal" in audit.shown


@pytest.mark.usefixtures("worker")
async def test_a_letter_is_edited_checked_and_sent(
    producer: AIOKafkaProducer, database: Database, user: str, admin: str, seat: Seat
) -> None:
    """The difference first; then the edited copy is applied, and the letter counts as replayed."""
    ids = await die(producer, database, user, count=1)
    [row] = await find_letters(database, user)
    path, assignment = _page_of(row), 'data.first_name="Grace"'
    checked = await seat.act(path, f"{path}/edit", assignment=assignment, step="check")
    spoilt = await seat.act(path, f"{path}/edit", payload='{"type": "user.updated"}')
    no_json = await seat.act(path, f"{path}/edit", payload="{")
    same = await seat.act(path, f"{path}/edit", assignment='data.first_name="Faulty"')
    waits = [each["state"] for each in await find_letters(database, user)]
    sent = await seat.act(path, f"{path}/edit", assignment=assignment, step="send")
    await until(lambda: find_outcomes(database, ids), lambda found: found == {"applied"})
    twice = await seat.act(path, f"{path}/edit", assignment=assignment, step="send")
    name = await database.fetchval("SELECT first_name FROM users WHERE clerk_id = $1", user)
    edits = await database.fetch(
        "SELECT operator, done FROM operations WHERE action = 'edit' AND planned = 1"
    )

    assert "Faulty" in checked.shown
    assert "Grace" in checked.shown
    assert "clerk.user-events" in checked.shown
    assert "die again" in spoilt.shown
    assert "not JSON" in no_json.shown
    assert "Nothing is changed" in same.shown
    assert waits == ["open"]
    assert (sent.status, twice.status, name) == (303, 400, "Grace")
    assert "replayed already" in twice.shown
    assert [tuple(each) for each in edits] == [(admin, 1)]


@pytest.mark.usefixtures("worker")
async def test_one_thing_at_a_time_and_the_console_goes_on_with_it(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    bootstrap_servers: str,
    database_url: str,
) -> None:
    """A desk that dies leaves what `dlq replay --resume` finishes; an operator waits for their own.

    Another one does not.
    """
    ids = await die(producer, database, user, count=4)
    await database.execute(FIX)
    first, second = [await insert_admin(database) for _ in range(2)]
    async with (
        serving_desk(bootstrap_servers, database_url) as server,
        seated(server) as seat,
        seated(server) as other,
    ):
        await seat.sign_in(first)
        await other.sign_in(second)
        begun = await _replay(seat, user, 3, **SLOW)
        operation = begun.headers["Location"]
        running = json.loads((await seat.get(f"{operation}/progress")).text)["state"]
        planned = await seat.get(f"/letters/plan?action=replay&user={user}")
        busy = await _replay(seat, user, 1)
        theirs = await seat.act("/audit", f"{operation}/resume")
        done = await _finish(other, await _replay(other, user, 1))
        await until(
            lambda: find_letters(database, user, "replaying"), lambda found: len(found) == 2
        )
    said = await run(run_resume, Wishes())
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)

    assert running == "running"
    assert operation in planned.text
    assert (busy.status, theirs.status, done["done"]) == (400, 400, 1)
    assert "Another operation of yours" in busy.shown
    assert "2 letters are replayed" in said
    assert {row["state"] for row in await find_letters(database, user)} == {"replayed"}


@pytest.mark.usefixtures("worker")
async def test_what_broke_off_is_resumed_at_the_desk(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    bootstrap_servers: str,
    database_url: str,
) -> None:
    """By whoever comes first, and the audit says by whom."""
    ids = await die(producer, database, user, count=3)
    await database.execute(FIX)
    first, second = [await insert_admin(database) for _ in range(2)]
    async with serving_desk(bootstrap_servers, database_url) as server, seated(server) as seat:
        await seat.sign_in(first)
        operation = (await _replay(seat, user, 3, **SLOW)).headers["Location"]
    async with serving_desk(bootstrap_servers, database_url) as server, seated(server) as seat:
        await seat.sign_in(second)
        broken = await seat.get(operation)
        listed = await seat.get("/operations")
        resumed = await seat.act("/audit", f"{operation}/resume")
        progress = await _finish(seat, resumed)
        again = await seat.act("/audit", f"{operation}/resume")
        audit = await seat.get("/audit")
    # Or what was replayed would be another test's.
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)

    assert "broken" in broken.shown
    assert f"{operation}/resume" in broken.text
    assert operation in listed.text
    assert (progress["done"], again.status) == (3, 400)
    assert "resume" in audit.shown
    assert second in audit.shown


async def test_pages_follow_each_other(database: Database, user: str, seat: Seat) -> None:
    """Fifty letters each, those that died at one moment too; none twice, none left out."""
    await database.execute(
        """
        INSERT INTO dead_letters (topic, partition, "offset", dead_at, event_id, clerk_user_id,
            error_class, attempts)
        SELECT 'some.dlq', n % 3, n, '2026-01-01', 'msg_' || n, $1, 'poison.data', 1
        FROM generate_series(1000, 1119) AS n
        """,
        user,
    )
    ids = [f"msg_{number}" for number in range(1000, 1120)]
    found: list[str] = []
    path = f"/letters?{urlencode({'user': user})}"
    sizes = []
    while path:
        page = await seat.get(path)
        on_page = [each for each in ids if f'href="/events/{each}"' in page.text]
        sizes.append(len(on_page))
        found += on_page
        links = [part.partition('"')[0] for part in page.text.split('href="')[1:]]
        path = next((each.replace("&amp;", "&") for each in links if "cursor=" in each), "")

    assert sizes == [50, 50, 20]
    assert sorted(found) == ids


@pytest.mark.usefixtures("worker")
async def test_letters_of_which_kafka_has_no_more_are_shown(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    bootstrap_servers: str,
    seat: Seat,
) -> None:
    """What the index knows; there is nothing to reveal, and nothing to edit."""
    await die(producer, database, user, count=1)
    [row] = await find_letters(database, user)
    path = _page_of(row)
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        place = TopicPartition(row["topic"], row["partition"])
        await admin.delete_records({place: RecordsToDelete(before_offset=row["offset"] + 1)})
    page = await seat.get(path)
    edited = await seat.act("/audit", f"{path}/edit", assignment="a=1")

    assert page.status == 200
    assert "does not have the record any more" in edited.shown
    assert edited.status == 400


async def test_a_letter_of_another_kafka_is_said_to_be(database: Database, seat: Seat) -> None:
    """The index tells of a record that this Kafka never had."""
    await database.execute(
        """
        INSERT INTO dead_letters
            (topic, partition, "offset", dead_at, event_id, error_class, attempts)
        VALUES ('clerk.unreadable.dlq', 0, 7000000, now(), 'msg_gone', 'poison.decode', 1)
        """
    )
    page = await seat.get("/letters/clerk.unreadable.dlq/0/7000000")

    assert page.status == 200
    assert "KAFKA_BOOTSTRAP_SERVERS" in page.shown
