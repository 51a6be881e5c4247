"""Serve an application in a test as its process does: behind our own door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from schema.http.serving.serve import Runner

if TYPE_CHECKING:
    from aiohttp import web

    from schema.http.settings import HttpSettings


class Server(TestServer):
    """A server on a free port; like the process's, it cancels no handler when a client goes."""

    def __init__(self, app: web.Application, settings: HttpSettings) -> None:
        super().__init__(app)
        self._settings = settings

    async def _make_runner(self, **_: Any) -> web.BaseRunner:
        return Runner(self.app, self._settings)
