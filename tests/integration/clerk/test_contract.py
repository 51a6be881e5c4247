"""The stand-in answers as Clerk's own OpenAPI document says, and we ask only what is in it.

The document is Clerk's and not ours to keep: the tests are skipped where it is not beside the
project. https://github.com/clerk/openapi-specs
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator

from deploy.clerk.find import (
    find_membership,
    find_organization,
    find_session,
    find_user,
    read_instance,
)
from deploy.clerk.walk import (
    count_memberships,
    count_organizations,
    count_users,
    walk_changed_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)
from deploy.standin.app import TEST_KEY, running_stand_in
from deploy.standin.door import PREFIX
from deploy.standin.world import World
from deploy.tokens import new_private_key
from schema.clerk.client import API_VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from deploy.standin.trouble import Trouble
    from tests.integration.clerk.conftest import Ask

DOCUMENT: Final = Path(__file__).parents[4] / f"shared/clerk/spec/bapi-{API_VERSION}.yml"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Clerk's Backend API in Clerk's words."""
    if not DOCUMENT.exists():
        pytest.skip(f"no Clerk document at {DOCUMENT.name} beside the project")
    with DOCUMENT.open(encoding="utf-8") as file:
        return _nullable(yaml.load(file, Loader=yaml.CSafeLoader))


def _nullable(value: Any) -> Any:
    """Say `nullable`, which OpenAPI 3.0 has, in the words of JSON Schema."""
    if isinstance(value, list):
        return [_nullable(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _nullable(each) for name, each in value.items() if name != "nullable"}
    return {"anyOf": [{"type": "null"}, plain]} if value.get("nullable") is True else plain


@pytest.fixture(scope="module")
def inhabited() -> World:
    """Some of everything."""
    world = World()
    world.populate(users=40, organizations=3, members=5)
    first, second = list(world.users)[:2]
    world.open_session(first)
    for status in ("ended", "removed", "revoked", "expired", "pending"):
        world.end_session(world.open_session(first).id, status=status)
    world.ban_user(second)
    return world


@pytest.fixture(scope="module")
async def url(inhabited: World) -> AsyncIterator[str]:
    """A stand-in over it."""
    async with running_stand_in(inhabited, private_key=new_private_key()) as url:
        yield url


def _operation(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what the document says of GET at a path whose placeholders may have other names."""
    plain = re.sub(r"\{.*?\}", "{}", path)
    by_path = {re.sub(r"\{.*?\}", "{}", each): item for each, item in document["paths"].items()}
    operation: dict[str, Any] = by_path[plain]["get"]
    return operation


def _schema(document: dict[str, Any], operation: dict[str, Any], status: int) -> dict[str, Any]:
    said = operation["responses"].get(str(status))
    if said is None:
        assert status in {401, 404, 422, 429}, "an answer the document does not know"
        said = {"$ref": "#/components/responses/ClerkErrors"}
    if "$ref" in said:
        said = document["components"]["responses"][said["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = said["content"]["application/json"]["schema"]
    return schema | {"components": document["components"]}


ASKED: Final = (
    ("/users", "/users?limit=40", 200),
    ("/users", "/users?order_by=%2Bcreated_at&starting_after={user}", 200),
    ("/users", "/users?order_by=-updated_at&starting_after={user}", 422),
    ("/users", "/users?order_by=nothing", 422),
    ("/users", "/users?starting_after={user}&offset=1", 422),
    ("/users", "/users?offset=x", 422),
    ("/users/count", "/users/count?created_at_after=1", 200),
    ("/users/{id}", "/users/{user}", 200),
    ("/users/{id}", "/users/user_nobody", 404),
    ("/users/{id}/organization_memberships", "/users/{member}/organization_memberships", 200),
    ("/organizations", "/organizations?include_members_count=true", 200),
    ("/organizations", "/organizations?order_by=updated_at", 422),
    ("/organizations/{id}", "/organizations/{organization}", 200),
    ("/organizations/{id}", "/organizations/org_none", 404),
    ("/organizations/{id}/memberships", "/organizations/{organization}/memberships", 200),
    ("/organization_memberships", "/organization_memberships?order_by=-created_at", 200),
    ("/organization_memberships", "/organization_memberships?limit=0", 422),
    ("/sessions", "/sessions?user_id={user}", 200),
    ("/sessions", "/sessions", 422),
    ("/sessions/{id}", "/sessions/{session}", 200),
    ("/sessions/{id}", "/sessions/sess_none", 404),
    ("/instance", "/instance", 200),
    ("/jwks", "/jwks", 200),
)


@pytest.mark.parametrize(("path", "asked", "status"), ASKED, ids=[each[1] for each in ASKED])
async def test_the_stand_in_answers_as_the_document_says(
    document: dict[str, Any], inhabited: World, url: str, *, path: str, asked: str, status: int
) -> None:
    """Every answer, the refusals too, fits the schema for it."""
    asked = asked.format(
        user=next(iter(inhabited.users)),
        organization=next(iter(inhabited.organizations)),
        session=next(iter(inhabited.sessions)),
        member=next(iter(inhabited.memberships.values()))["public_user_data"]["user_id"],
    )
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TEST_KEY}"}) as session,
        session.get(f"{url}{asked}") as response,
    ):
        body = await response.json()

    assert response.status == status
    schema = _schema(document, _operation(document, path), status)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == []
    assert body not in ([], {"data": [], "total_count": 0})


@pytest.mark.parametrize(
    "path", ["/users", "/organizations", "/organization_memberships", "/sessions"]
)
async def test_limits_and_defaults_are_the_documents(
    document: dict[str, Any], inhabited: World, url: str, path: str
) -> None:
    """The least and the most are taken; what is beyond is a 422."""
    by_name = {each["name"]: each for each in _parameters(document, path)}
    schema = by_name["limit"]["schema"]
    headers = {"Authorization": f"Bearer {TEST_KEY}"}
    query = {"user_id": next(iter(inhabited.users))} if path == "/sessions" else {}
    statuses = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for limit in (schema["minimum"], schema["maximum"]):
            for each in (limit - 1, limit, limit + 1):
                asked = session.get(url + path, params=query | {"limit": str(each)})
                async with asked as response:
                    statuses[each] = response.status

    assert {each for each, status in statuses.items() if status == 422} == {
        schema["minimum"] - 1,
        schema["maximum"] + 1,
    }


def _parameters(document: dict[str, Any], path: str) -> list[dict[str, Any]]:
    return [
        document["components"]["parameters"][each["$ref"].rpartition("/")[2]]
        if "$ref" in each
        else each
        for each in _operation(document, path).get("parameters", [])
    ]


async def test_we_ask_only_what_is_in_the_document(
    document: dict[str, Any], inhabited: World, trouble: Trouble, ask: Ask
) -> None:
    """Every path and every parameter of every walk and look."""
    asked: dict[str, set[str]] = {}

    def note(request: web.Request) -> None:
        resource = request.match_info.route.resource
        assert resource is not None
        asked.setdefault(resource.canonical.removeprefix(PREFIX), set()).update(request.query)

    trouble.before_answer = note
    membership = next(iter(inhabited.memberships.values()))
    member = membership["public_user_data"]["user_id"], membership["organization"]["id"]
    async with ask(inhabited, trouble) as clerk:
        for pages in (
            walk_users(clerk, limit=15),
            walk_organizations(clerk, limit=2),
            walk_memberships(clerk, limit=7),
            walk_changed_users(clerk, since_ms=0, limit=15),
        ):
            assert [page async for page in pages]
        for count in (count_users, count_organizations, count_memberships):
            assert await count(clerk) > 0
        await find_user(clerk, member[0])
        await find_organization(clerk, member[1])
        await find_membership(clerk, member[1], member[0])
        await find_session(clerk, next(iter(inhabited.sessions)))
        await read_instance(clerk)

    assert len(asked) == 9
    for path, names in asked.items():
        assert names <= {each["name"] for each in _parameters(document, path)}, path
