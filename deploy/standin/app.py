"""Clerk's Backend API over a world: what of it clerkwork reads, and how it refuses."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import RSAAlgorithm

from deploy.standin.door import PREFIX, Door
from deploy.standin.lists import Lists, present_organization
from deploy.standin.refuse import absent
from deploy.standin.trouble import Trouble
from deploy.standin.world import INSTANCE_ID
from deploy.tokens import KEY_ID, public_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from deploy.standin.shapes import Thing
    from deploy.standin.world import World

TEST_KEY: Final = "sk_test_of-the-stand-in"
"""A secret key; with it 100 requests in 10 s are answered, as Clerk does in development."""

LIVE_KEY: Final = "sk_live_of-the-stand-in"
"""A secret key; with it 1000 requests in 10 s are answered."""


def build_stand_in(
    world: World,
    trouble: Trouble | None = None,
    *,
    keys: Sequence[str] = (TEST_KEY, LIVE_KEY),
    private_key: str | None = None,
) -> web.Application:
    """Return Clerk's Backend API over `world`, below /v1, for whoever has one of the keys.

    `private_key`: the PEM with which session tokens are signed; without it, /jwks has no key.
    """
    trouble = trouble or Trouble()
    door = Door(world, trouble, keys)
    app = web.Application(middlewares=[door.answer])
    lists = Lists(world, trouble)
    app.add_routes(
        [
            *_route_lists(lists),
            _get("/users/{id}", lambda request: _find(world.users, request)),
            _get("/sessions/{id}", lambda request: _find(world.sessions, request)),
            _get("/organizations/{id}", lambda request: _find_organization(world, request)),
            _get("/instance", lambda _: _instance(trouble)),
            _get("/jwks", lambda _: {"keys": [_jwk(private_key)] if private_key else []}),
        ]
    )
    return app


@contextlib.asynccontextmanager
async def running_stand_in(
    world: World,
    trouble: Trouble | None = None,
    *,
    port: int = 0,
    keys: Sequence[str] = (TEST_KEY, LIVE_KEY),
    private_key: str | None = None,
) -> AsyncIterator[str]:
    """Serve it here while the context lasts; yields the address, up to and with /v1."""
    app = build_stand_in(world, trouble, keys=keys, private_key=private_key)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PREFIX}"
    finally:
        await runner.cleanup()


def _route_lists(lists: Lists) -> list[web.RouteDef]:
    return [
        _get("/users", lists.users),
        _get("/users/count", lists.count),
        _get("/users/{id}/organization_memberships", lists.memberships_of),
        _get("/organizations", lists.organizations),
        _get("/organizations/{id}/memberships", lists.memberships_in),
        _get("/organization_memberships", lists.memberships),
        _get("/sessions", lists.sessions),
    ]


def _get(path: str, find: Callable[[web.Request], Any]) -> web.RouteDef:
    async def handle(request: web.Request) -> web.Response:
        body = msgspec.json.encode(find(request))
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    return web.get(PREFIX + path, handle)


def _find(things: Mapping[str, Thing], request: web.Request) -> Thing:
    try:
        return things[request.match_info["id"]]
    except KeyError:
        raise absent() from None


def _find_organization(world: World, request: web.Request) -> Thing:
    wanted = request.match_info["id"]
    found = world.organizations.get(wanted) or next(
        (each for each in world.organizations.values() if each["slug"] == wanted), None
    )
    if found is None:
        raise absent()
    return present_organization(found, request.query)


def _instance(trouble: Trouble) -> Thing:
    return {
        "object": "instance",
        "id": INSTANCE_ID,
        "environment_type": trouble.environment_type,
        "allowed_origins": None,
        "workspace_id": None,
    }


def _jwk(private_key: str) -> Thing:
    key = load_pem_public_key(public_key(private_key).encode())
    jwk: Thing = RSAAlgorithm.to_jwk(cast("RSAPublicKey", key), as_dict=True)
    return jwk | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}
