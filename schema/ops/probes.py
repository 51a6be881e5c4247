"""Probes: `/livez`, `/readyz` and `/metrics` on every process.

Liveness says that a restart would not help; readiness says that traffic is welcome, and names
each check that says otherwise. Kubernetes' API health endpoints give the two names.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from schema.ops.share import Share

PATHS: Final = ("/livez", "/readyz", "/metrics")
"""Where they are: asked every few seconds, by machines of the operator's."""

CHECK_TIMEOUT_S: Final = 2.0
"""A check that takes longer has failed: the prober must get an answer."""

Check = Callable[[], Awaitable[str | None]]
"""Returns when all is well, with words for the operator or without; raises `CheckFailedError` when
it is not."""


class CheckFailedError(Exception):
    """A probe's check did not pass; the message says why, in words for the operator."""


async def _run(check: Check) -> tuple[bool, str]:
    """Return whether the check passed, and what it says."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return True, await check() or "ok"
    except CheckFailedError as error:
        return False, str(error)
    except TimeoutError:
        return False, f"no answer within {CHECK_TIMEOUT_S:g} s"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What is looked at when a process is asked how it is."""

    checks: Mapping[str, Check]
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is told to stop: from then on it is not well, whatever else is."""

    async def look(self) -> tuple[bool, Mapping[str, str]]:
        """Return whether all is well, and what each check says."""
        results = await asyncio.gather(*map(_run, self.checks.values()))
        said = dict(zip(self.checks, (words for _, words in results), strict=True))
        if self.leaving.is_set():
            return False, {**said, "process": "is about to stop"}
        return all(passed for passed, _ in results), said


READINESS: Final = web.AppKey("readiness", Probe)
"""Where others find whether the process could serve, and say that it soon will not."""


def _answer(probe: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        healthy, said = await probe.look()
        return web.json_response(
            {"status": "ok" if healthy else "unavailable", "checks": said},
            status=200 if healthy else 503,
            headers={"Cache-Control": "no-store"},
        )

    return answer


def add_probes(
    app: web.Application,
    *,
    registry: CollectorRegistry,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    share: Share | None = None,
) -> None:
    """Serve the three probe routes from `app`; with `share`, `/metrics` is of all who share it."""
    readiness = app[READINESS] = Probe(checks=ready)
    if share:
        app.cleanup_ctx.append(share.running)

    async def metrics(_request: web.Request) -> web.Response:
        found = await share.gather() if share else registry
        return web.Response(
            body=generate_latest(found), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    answers = (_answer(Probe(checks=live)), _answer(readiness), metrics)
    for path, answer in zip(PATHS, answers, strict=True):
        app.router.add_get(path, answer)


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, *, host: str, port: int, reuse_port: bool = False
) -> AsyncIterator[None]:
    """Serve the probes of a process that serves nothing else while the context lasts.

    With `reuse_port` others may listen there too, and the kernel chooses who answers.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=reuse_port or None).start()
        yield
    finally:
        await runner.cleanup()
