"""The pipeline at a glance and the search of events, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.desk.pipeline import WATCH
from deploy.desk.present_pipeline import present_pipeline
from deploy.stack.ports import free_port
from schema.kafka.changes import CANARY_PREFIX
from schema.ops.metrics import WorkerMetrics, new_registry
from schema.ops.probes import add_probes
from tests.desk import insert_admin, make_token, seated, serving_desk
from tests.factories import new_event_id
from tests.letters import publish
from tests.waiting import until

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.desk.models.pipeline import PipelinePage, Station
    from tests.desk import Seat
    from tests.serving import Server

    Database = asyncpg.Connection[asyncpg.Record]


async def _look(server: Server) -> PipelinePage:
    return present_pipeline(await server.app[WATCH]._look())


def _station(page: PipelinePage, name: str) -> Station:
    return next(each for each in page.stations if each.name == name)


async def _publish(producer: AIOKafkaProducer, user: str, count: int) -> list[str]:
    return [await publish(producer, user, at=at, first_name="Ada") for at in range(count)]


async def _wait_for_ledger(database: Database, user: str, count: int) -> None:
    await until(
        lambda: database.fetchval("SELECT count(*) FROM events WHERE clerk_user_id = $1", user),
        lambda found: found == count,
    )


@pytest.mark.usefixtures("worker")
async def test_what_is_applied_is_seen_at_a_glance(
    producer: AIOKafkaProducer, database: Database, user: str, seat: Seat, server: Server
) -> None:
    """Arrivals are counted by Kafka's clock, freshness by the ledger's; and nothing waits."""
    before = await _look(server)
    ids = await _publish(producer, user, 7)
    await _wait_for_ledger(database, user, 7)
    page = await _look(server)
    shown = await seat.get("/")

    arrived = sum(point.value for point in page.received)
    assert arrived - sum(point.value for point in before.received) == 7
    assert len(page.received) in {30, 31}
    assert page.freshness
    assert 0 <= page.freshness.p50_s <= page.freshness.p99_s < 60
    assert page.last_webhook
    assert page.last_webhook.event_id in ids
    assert _station(page, "workers").state == "good"
    assert sum(lag.records for lag in page.lags) == 0
    assert page.outbox
    assert page.outbox.waiting
    assert not page.outbox.active
    assert (_station(page, "relay").state, page.state) == ("stopped", "stopped")
    assert page.troubles == ()
    assert shown.status == 200
    assert "no relay is active" in shown.shown


async def test_what_waits_is_counted_and_aged(
    producer: AIOKafkaProducer, user: str, server: Server, seat: Seat
) -> None:
    """Without a worker records wait, each second longer; the search finds them all the same."""
    before = await _look(server)
    ids = await _publish(producer, user, 3)
    page = await _look(server)
    listed = await seat.get("/events")

    lags = {lag.topic: lag for lag in page.lags}
    waited = {lag.topic: lag for lag in before.lags}
    found = lags["clerk.user-events"]
    assert found.records == waited["clerk.user-events"].records + 3
    assert found.seconds > 0
    assert all(each in listed.shown for each in ids)
    assert "waiting" in listed.shown


@pytest.mark.usefixtures("worker")
async def test_events_are_found_by_what_is_known_of_them(
    producer: AIOKafkaProducer, database: Database, user: str, seat: Seat
) -> None:
    """By id, user, type, outcome and time; pages of fifty, and nothing twice or left out."""
    ids = await _publish(producer, user, 120)
    await _wait_for_ledger(database, user, 120)
    by_id = await seat.get(f"/events?q={ids[0]}")
    by_user = await _collect(seat, f"/events?user={user}", ids)
    by_time = await _collect(seat, "/events?type=user.updated&since=10m", ids)
    none = await seat.get(f"/events?user={user}&outcome=dead")
    stale = await seat.get("/events?outcome=stale&type=nothing.such")

    assert (by_id.status, by_id.headers["Location"]) == (303, f"/events/{ids[0]}")
    assert sorted(by_user) == sorted(ids)
    assert sorted(by_time) == sorted(ids)
    assert not any(each in none.shown or each in stale.shown for each in ids)


async def _collect(seat: Seat, path: str, ids: list[str]) -> list[str]:
    """Return which of these events are listed, page by page, in their order."""
    found: list[str] = []
    while path:
        page = await seat.get(path)
        on_page = [each for each in ids if f'href="/events/{each}"' in page.text]
        assert page.status == 200
        assert len(on_page) < 60  # fifty, and those of the same moment as the last
        found += on_page
        links = [part.partition('"')[0] for part in page.text.split('href="')[1:]]
        path = next((each.replace("&amp;", "&") for each in links if "cursor=" in each), "")
    return found


@pytest.mark.usefixtures("worker")
async def test_canaries_are_left_out_unless_asked_for(
    producer: AIOKafkaProducer, database: Database, seat: Seat
) -> None:
    """They would fill the list; at the pipeline the last of them is shown."""
    canary = f"{CANARY_PREFIX}-{new_event_id()}"
    [event] = await _publish(producer, canary, 1)
    await until(
        lambda: database.fetchval("SELECT count(*) FROM events WHERE event_id = $1", event),
        lambda found: found == 1,
    )

    assert event not in (await seat.get("/events")).text
    assert event in (await seat.get("/events?canaries=yes")).text


async def test_one_server_away_takes_the_other_from_nobody(
    database_url: str, database: Database
) -> None:
    """Without Kafka the desk shows what PostgreSQL knows, and says what it does not."""
    nowhere = f"127.0.0.1:{free_port()}"
    async with serving_desk(nowhere, database_url) as server, seated(server) as seat:
        await seat.sign_in(await insert_admin(database))
        page = await seat.get("/")
        letters = await seat.get("/letters")
        ready = await seat.get("/readyz")

    assert (page.status, letters.status, ready.status) == (200, 200, 200)
    assert "Kafka does not answer" in page.shown


async def test_without_postgresql_nobody_is_let_in(bootstrap_servers: str) -> None:
    """And told so: nobody knows who they are."""
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    async with serving_desk(bootstrap_servers, nowhere) as server, seated(server) as seat:
        answer = await seat.post("/sign-in", {"token": make_token("user_1")})
        ready = await seat.get("/readyz", Accept="application/json")

    assert (answer.status, ready.status) == (503, 503)
    assert "database does not answer" in answer.shown


async def test_processes_tell_of_themselves(bootstrap_servers: str, database_url: str) -> None:
    """What waits or is stopped, by their own metrics; who does not answer is named too."""
    registry = new_registry()
    WorkerMetrics(registry).line_stopped.set(1)
    app = web.Application()
    add_probes(app, registry=registry, live={}, ready={})
    async with TestServer(app) as worker:
        targets = (f"worker=http://127.0.0.1:{worker.port}", f"api=http://127.0.0.1:{free_port()}")
        async with serving_desk(bootstrap_servers, database_url, desk_targets=targets) as server:
            page = await _look(server)

    states = {each.name: (each.state, each.word) for each in page.targets}
    assert states["api"] == ("stopped", "does not answer")
    assert states["worker"] == ("slow", "line stopped")
