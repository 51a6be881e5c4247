"""The authorization matrix, executed: who, what, and in which state."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import pytest

from api.describe import ENDPOINTS
from api.present import FULL, PUBLIC
from schema.postgres.ids import derive_id, derive_post_id
from tests.integration.api.matrix import CALLERS, rows
from tests.integration.api.world import ERASED, HELD, START, STUB, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Serve

ABSENT: Final = UUID(int=7)
DECLARED: Final = {endpoint.path: endpoint for endpoint in ENDPOINTS}
SUBJECTS: Final[dict[str, dict[str, Any]]] = {
    "living": {},
    "banned": {"status": "banned"},
    "pending": STUB,
    "held": HELD,
    "erased": ERASED,
}
ALWAYS_OUT: Final = {"banned", "held", "erased"}


@dataclass(frozen=True)
class Case:
    """A resource in a state: where it is, and whose."""

    path: str
    owner: str
    nothing: str
    """Where something of the kind would be that does not exist."""


@pytest.fixture(scope="module")
async def client(serve: Serve, shared_database_url: str) -> AsyncIterator[Client]:
    """Serve the API over a database in which everybody and everything is."""
    connection = await asyncpg.connect(shared_database_url)
    world = World(connection)
    await populate(world)
    await connection.close()
    async with serve(shared_database_url) as client:
        yield client


async def populate(world: World) -> None:
    """Insert callers, subjects in every state, and what belongs to them."""
    await world.user("user_stranger")
    await world.user("user_member")
    await world.user("user_admin", role="admin")
    await world.user("user_shut-out", status="banned", role="admin")
    await world.user("user_gone", role="admin", **HELD)
    await world.user("user_newcomer", **STUB)
    for state, columns in SUBJECTS.items():
        await world.user(f"user_{state}", **columns)
        if "deleted_at" in columns:
            await world.event(f"msg_{state}_deletion", f"user_{state}", type="user.deleted")
        if state != "erased":
            await give(world, f"user_{state}")
    for state in ("living", "pending", "deleted"):
        status = "active" if state == "living" else state
        await world.organization(f"org_{state}", status=status)
        for member in ("user_living", "user_member"):
            await world.membership(member, f"org_{state}")
    await world.organization("org_left")
    for member in ("user_living", "user_member"):
        await world.membership(member, "org_left", deleted_at=START)
    await world.event("msg_nobody", None, type="organization.created")


async def give(world: World, clerk_id: str) -> None:
    """Insert something of everything that can belong to a user."""
    kinds: dict[str, dict[str, Any]] = {
        "published": {},
        "draft": {"status": "draft"},
        "deleted": {"deleted_at": START, "body": ""},
        "stub": {"created_at": None, "updated_at": None},
    }
    for name, columns in kinds.items():
        await world.post(clerk_id, name, **columns)
    await world.data(clerk_id, "session_count", "1")
    await world.data(clerk_id, "preferences", None)
    await world.session(clerk_id, f"sess_{clerk_id}")
    await world.event(f"msg_{clerk_id}", clerk_id)
    await world.event(f"cmd_{clerk_id}", clerk_id, outcome="refused", reason="not the author")


def locate(route: str, state: str) -> Case:
    """Return where the resource of a row of the table is."""
    kind, _, rest = route.removeprefix("/v1/").partition("/")
    if "{id}" not in route:
        return Case(route, "user_living", route)
    if kind == "users":
        nobody = route.format(id="user_nobody")
        return Case(route.format(id=f"user_{state}"), f"user_{state}", nobody)
    if kind == "posts":
        author, _, name = state.rpartition(" ")
        owner = f"user_{author or 'living'}"
        post_id = ABSENT if state == "absent" else derive_post_id(owner, name)
        return Case(f"/v1/posts/{post_id}", owner, f"/v1/posts/{ABSENT}")
    if kind == "organizations":
        return Case(f"/v1/organizations/org_{state}", "user_living", "/v1/organizations/org_none")
    assert (kind, rest) == ("events", "{id}")
    owner = "user_held" if state == "held" else "user_living"
    event_id = {
        "applied": "msg_user_living",
        "refused": "cmd_user_living",
        "held": "msg_user_held",
        "about nobody": "msg_nobody",
        "absent": "msg_absent",
    }[state]
    return Case(f"/v1/events/{event_id}", owner, "/v1/events/msg_none")


def show_users(body: Any) -> str:
    """Say how much of users is shown."""
    views = {user["clerk_id"]: set(user) for user in body["data"]}
    full = {clerk_id for clerk_id, fields in views.items() if fields == set(FULL)}
    assert all(fields in (set(FULL), set(PUBLIC)) for fields in views.values())
    assert not views.keys() & {"user_pending", "user_held", "user_erased", "user_newcomer"}
    return {0: "public", 1: "own", len(views): "full"}[len(full)]


def show_user(body: Any) -> str:
    """Say how much of a user is shown."""
    if set(body) == set(PUBLIC):
        return "public"
    assert set(body) == set(FULL)
    return "tombstone" if body["status"] == "deleted" else "full"


def show_posts(body: Any) -> str:
    """Say which posts are shown."""
    assert not {post["title"] for post in body["data"]} & {"deleted", "stub"}
    assert "user_held" not in {post["author"]["clerk_id"] for post in body["data"]}
    found = {post["status"] for post in body["data"]}
    return {"published": "pub", "draft published": "all", "": "none"}[" ".join(sorted(found))]


def show_history(body: Any) -> str:
    """Say what of a history is shown."""
    types = {entry["type"] for entry in body["data"]}
    assert types
    return "deletion" if types == {"user.deleted"} else "history"


SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    "/v1/me": show_user,
    "/v1/users": show_users,
    "/v1/users/{id}": show_user,
    "/v1/users/{id}/posts": show_posts,
    "/v1/users/{id}/data": lambda body: "data" if body["data"] else "none",
    "/v1/users/{id}/sessions": lambda body: "sessions" if body["data"] else "none",
    "/v1/users/{id}/history": show_history,
    "/v1/posts": show_posts,
    "/v1/posts/{id}": lambda body: "post" if body["author"] else "",
    "/v1/organizations/{id}": lambda body: "in" if body["membership"] else "extern",
    "/v1/events/{id}": lambda body: "reason" if "reason" in body else "event",
}


async def ask(client: Client, path: str, *, caller: str, owner: str) -> ClientResponse:
    """Ask for `path` as one of the columns of the table."""
    if caller == "anonymous":
        return await client.get(path)
    if caller == "expired":
        then = int(time.time()) - 600
        token = client.token(owner, iat=then, exp=then + 60)
        return await client.get(path, Authorization=f"Bearer {token}")
    names = {"banned": "shut-out", "deleted": "gone", "pending": "newcomer"}
    by = owner if caller == "owner" else f"user_{names.get(caller, caller)}"
    return await client.get(path, by=by)


def describe_error(response: ClientResponse, body: Any) -> str:
    """Return the word of the table for an error."""
    code = body["error"]["code"]
    if response.status == 403:
        return {"FORBIDDEN": "403", "USER_BANNED": "out", "USER_DELETED": "out"}[code]
    return f"{response.status}{'+' * ('Retry-After' in response.headers)}"


def words(body: Any) -> Any:
    """Return what an error says, without what differs between any two answers."""
    return {
        name: value
        for name, value in body["error"].items()
        if name not in ("requestId", "timestamp")
    }


@pytest.mark.parametrize(
    ("route", "state", "expected"), rows(), ids=[f"{route} {state}" for route, state, _ in rows()]
)
async def test_who_sees_what(
    client: Client, route: str, state: str, expected: dict[str, str]
) -> None:
    """Nobody sees more than the table says, nor less."""
    case = locate(route, state)
    found = {}
    for caller in CALLERS:
        response = await ask(client, case.path, caller=caller, owner=case.owner)
        text = await response.text()
        body = json.loads(text)
        if response.status == 200:
            found[caller] = SHOWN[route](body)
            model = DECLARED[route].answers[200].model
            assert model
            model.model_validate_json(text)
            continue
        found[caller] = describe_error(response, body)
        assert body["error"]["code"] in DECLARED[route].errors
        assert case.owner not in text
        if response.status == 404 and caller != "owner" and route != "/v1/me":
            nothing = await ask(client, case.nothing, caller=caller, owner=case.owner)
            assert words(await nothing.json()) == words(body)
            assert nothing.headers.keys() == response.headers.keys()

    assert found == expected


def test_every_route_is_in_the_table(client: Client) -> None:
    """But the changes, whose readers have tests of their own."""
    routes = {
        resource.canonical
        for resource in client.http.app.router.resources()
        if resource.canonical.startswith("/v1/")
    }

    assert routes - {"/v1/changes", "/v1/openapi.json"} == {route for route, _, _ in rows()}


async def test_by_our_id_as_by_clerks(client: Client) -> None:
    """Users and organizations have two names and one answer."""
    for path in ("/v1/users/{}", "/v1/users/{}/posts", "/v1/users/{}/data"):
        ours = await client.get(path.format(derive_id("user_living")), by="user_admin")
        clerks = await client.get(path.format("user_living"), by="user_admin")

        assert await ours.read() == await clerks.read()
    ours = await client.get(f"/v1/organizations/{derive_id('org_living')}", by="user_member")

    assert (await ours.json())["clerk_id"] == "org_living"
