"""Serve the samples of the desk's pages, with the headers of the desk."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from deploy.desk.render import build_environment, read_static, render
from deploy.desk.show import _HEADERS, _TYPES
from tests.browser.desk_samples import SAMPLES, frame_of

TELEPHONE: Final = 360
"""How wide a small one is."""

TOO_WIDE: Final = """
return [document.documentElement.scrollWidth > innerWidth, [...document.querySelectorAll('body *')]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.skip'))
    .map(each => each.outerHTML.slice(0, 200))]
"""
"""Whether a page can be scrolled sideways, and what is beside the screen."""


def build_samples() -> web.Application:
    """Return what answers with every sample under its name."""
    app = web.Application()
    app.router.add_get("/static/{name}", _answer_static)
    app.router.add_get("/operations/{id}/progress", _answer_progress)
    app.router.add_get("/{name}", _answer)
    return app


async def _answer(request: web.Request) -> web.Response:
    sample = SAMPLES.get(request.match_info["name"])
    if sample is None:
        raise web.HTTPNotFound
    environment = build_environment({name: at for name, (at, _) in read_static().items()})
    html = render(environment, sample.template, page=sample.page, frame=frame_of(sample))
    return web.Response(text=html, content_type="text/html", headers=_HEADERS)


async def _answer_static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    content_type = _TYPES[name.rpartition(".")[2]]
    return web.Response(body=read_static()[name][1], content_type=content_type)


async def _answer_progress(request: web.Request) -> web.Response:
    del request
    return web.json_response({"planned": 1204, "done": 602, "state": "running"})
