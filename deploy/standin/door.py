"""What every request passes before it is answered: the key, the limit, and what goes wrong."""

from __future__ import annotations

import asyncio
import inspect
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from aiohttp import web

from deploy.standin.limit import RateLimit
from deploy.standin.refuse import RefusedError, absent
from schema.clerk.client import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from deploy.standin.trouble import Ill, Trouble
    from deploy.standin.world import World

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX: Final = "/v1"
_VERSIONS: Final = frozenset({"2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", API_VERSION})
_HEADER: Final = "Clerk-API-Version"
_PARAMETER: Final = "__clerk_api_version"
_UNLIMITED: Final = frozenset({"/jwks"})


class Door:
    """Lets in who has a key, and brings the trouble.

    The version is said in a header or in the query, not in both:
    https://clerk.com/docs/guides/development/upgrading/versioning
    """

    def __init__(self, world: World, trouble: Trouble, keys: Sequence[str]) -> None:
        self._world = world
        self._trouble = trouble
        self._keys = frozenset(keys)
        self._limit = RateLimit(trouble)

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or not: what aiohttp asks of a middleware."""
        path = _path(request)
        self._trouble.asked[path] += 1
        ill: Ill | None = None
        try:
            self._check(request, path)
            ill = self._trouble.strike()
            await self._before(request, ill)
            response = await handler(request)
        except RefusedError as error:
            response = _refusal(error)
        except web.HTTPException as error:
            response = _refusal(absent() if error.status == 404 else _unfit(error))
        response.headers["Date"] = formatdate(self._world.now_ms // 1000, usegmt=True)
        if ill in {"reset", "truncated"}:
            return await _cut(request, response, whole=ill == "reset")
        self._trouble.answered[response.status] += 1
        return response

    def _check(self, request: web.Request, path: str) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise RefusedError(401, "authorization_header_format_invalid", "Invalid Authorization")
        if key not in self._keys:
            raise RefusedError(401, "clerk_key_invalid", "The provided Secret Key is invalid.")
        if path not in _UNLIMITED:
            self._limit.take(key)
        headers, query = request.headers, request.query
        versions = [*headers.getall(_HEADER, []), *query.getall(_PARAMETER, [])]
        if len(versions) > 1 or not _VERSIONS.issuperset(versions):
            raise RefusedError(400, "api_version_invalid", "No such version, or several.")

    async def _before(self, request: web.Request, ill: Ill | None) -> None:
        late_s = self._trouble.slow_s if ill == "slow" else 0.0
        offset = request.query.get("offset", "0")
        if offset.isdigit():
            late_s += int(offset) * self._trouble.offset_cost_s
        await asyncio.sleep(self._trouble.latency_s + late_s)
        if self._trouble.before_answer is not None:
            pending = self._trouble.before_answer(request)
            if inspect.isawaitable(pending):
                await pending
        if ill == "error":
            raise RefusedError(503, "service_unavailable", "Please try again.")


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical.removeprefix(PREFIX) if resource else "unknown"


def _refusal(error: RefusedError) -> web.Response:
    response = web.Response(
        status=error.status, body=error.body(), content_type="application/json", charset="utf-8"
    )
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _unfit(error: web.HTTPException) -> RefusedError:
    return RefusedError(error.status, "request_invalid", "Not a request that is answered.")


async def _cut(
    request: web.Request, response: web.StreamResponse, *, whole: bool
) -> web.StreamResponse:
    """Cut the connection before the answer, or in the middle of it."""
    if not whole and isinstance(response, web.Response) and isinstance(response.body, bytes):
        body = response.body
        response = web.StreamResponse(status=response.status, headers=response.headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort() if whole else request.transport.close()
    return response
