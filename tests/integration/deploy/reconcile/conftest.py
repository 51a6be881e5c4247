"""A world at Clerk, a worker, and tables that drift from the one when the other is not told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from deploy.reconcile.confirm import Ceiling
from deploy.reconcile.run import Wishes, reconcile
from deploy.reconcile.settings import ReconcileSettings
from deploy.reconcile.settle import Patience, wait_for_workers
from deploy.reconcile.sides import opened_sides
from deploy.stack.ports import free_port
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from ingest.route import route
from schema.kafka.clerk import read_envelope, read_subject
from schema.kafka.headers import EventHeaders, write_event_headers
from tests.conftest import Servers, copied_database
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaProducer

    from deploy.reconcile.drift import Report
    from deploy.standin.told import Told

    Database = asyncpg.Connection[asyncpg.Record]

USERS = 40
TABLES = "users, organizations, events, outbox, dead_letters, sweeps"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A clerkwork in miniature, and an operator who reconciles it."""

    world: World
    trouble: Trouble
    settings: ReconcileSettings
    producer: AIOKafkaProducer
    database: Database
    users: list[str] = field(default_factory=list)
    """Ids of those whom both sides have from the beginning."""
    organizations: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    """Ids of memberships of the first organization."""

    async def hear(self, *told: Told | None, applied: bool = True) -> None:
        """Let webhooks arrive, and unless it is not wished wait until workers have applied them."""
        heard = [each for each in told if each is not None]
        for each in heard:
            await self.publish(each)
        if applied:
            ids = [each.event_id for each in heard]
            await until(
                lambda: self.database.fetchval(
                    "SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids
                ),
                lambda count: count == len(ids),
            )

    async def publish(self, told: Told) -> None:
        """Do what ingest does with a webhook."""
        envelope = read_envelope(told.body)
        place = route(envelope.type, read_subject(envelope))
        headers = EventHeaders(
            event_id=told.event_id,
            event_type=told.type,
            source="clerk",
            occurred_at=None,
            subject=place.user_id,
            request_id="tests",
        )
        await self.producer.send_and_wait(
            place.topic.name,
            told.body,
            key=place.key.encode(),
            headers=list(write_event_headers(headers)),
        )

    async def reconcile(self, **wishes: Any) -> Report:
        """Reconcile as an operator would who has little patience."""
        ceiling = Ceiling(
            per_cent=wishes.pop("max_deletions", 30), force=wishes.pop("force", False)
        )
        quick = Patience(settle_s=wishes.pop("settle", 0.0), workers_s=wishes.pop("patience", 30.0))
        chosen = Wishes(ceiling=ceiling, patience=quick, as_json=True)
        return await reconcile(self.settings, replace(chosen, **wishes))

    async def value(self, query: str, *arguments: object) -> Any:
        """Return what the database says."""
        return await self.database.fetchval(query, *arguments)


def found(report: Report) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the ids of what was found, by resource and kind."""
    return {(drift.resource, drift.kind): drift.ids for drift in report.drifts}


@pytest.fixture(scope="module")
async def module_database_url(servers: Servers, template_database: str) -> AsyncIterator[str]:
    """The database of all tests of a file; each begins with empty tables."""
    async with copied_database(servers, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def _worker(bootstrap_servers: str, module_database_url: str) -> AsyncIterator[None]:
    """One worker for all tests of a file: joining a group takes its time."""
    settings = WorkerSettings(
        kafka_bootstrap_servers=bootstrap_servers,
        database_url=module_database_url,
        worker_metrics_port=free_port(),
    )
    async with running_worker(settings):
        yield


@pytest.fixture
def trouble() -> Trouble:
    """What the stand-in suffers."""
    return Trouble()


@pytest.fixture
async def clerk_url(trouble: Trouble, world: World) -> AsyncIterator[str]:
    """A stand-in for Clerk."""
    async with running_stand_in(world, trouble) as url:
        yield url


@pytest.fixture
def world() -> World:
    """What Clerk has; its clock is ours, for sessions run out by ours."""
    return World(seed=4, now_ms=int(time.time() * 1000))


@pytest.fixture
def settings(bootstrap_servers: str, module_database_url: str, clerk_url: str) -> ReconcileSettings:
    """The operator's environment."""
    return ReconcileSettings(
        kafka_bootstrap_servers=bootstrap_servers,
        database_url=module_database_url,
        clerk_secret_key=LIVE_KEY,
        clerk_api_url=clerk_url,
        reconcile_metrics_port=free_port(),
    )


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """A connection, to arrange and to look."""
    connection = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def scene(
    settings: ReconcileSettings,
    world: World,
    trouble: Trouble,
    _worker: None,
    producer: AIOKafkaProducer,
    database: Database,
) -> Scene:
    """Both sides alike: users, organizations with members, and nobody else's leftovers."""
    async with opened_sides(settings) as sides:
        assert await wait_for_workers(sides, within_s=60) == 0
    await database.execute(f"TRUNCATE {TABLES} CASCADE")
    scene = Scene(
        world=world, trouble=trouble, settings=settings, producer=producer, database=database
    )
    told = [world.create_user(email=f"user{number}@example.com") for number in range(USERS)]
    scene.users.extend(each.id for each in told)
    for _ in range(4):
        organization = world.create_organization()
        scene.organizations.append(organization.id)
        told.append(organization)
    members = [
        world.add_member(scene.organizations[number % 4], user)
        for number, user in enumerate(scene.users[:16])
    ]
    scene.members.extend(each.id for each in members[::4])
    await scene.hear(*told, *members)
    return scene
