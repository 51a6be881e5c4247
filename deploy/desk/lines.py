"""Let a stopped partition go on, once its cause is mended: asked first, then done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.desk.admit import OPERATOR
from deploy.desk.carry import CARRIER
from deploy.desk.database import DATABASE
from deploy.desk.find.pipeline import find_stop
from deploy.desk.models.pipeline import ReleasePage
from deploy.desk.parse import read_allowance, read_line
from deploy.desk.present_pipeline import present_stop
from deploy.desk.show import go_to, show
from deploy.desk.stand import FORM
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from aiohttp import web


async def plan_release(request: web.Request) -> web.Response:
    """Show what stopped a partition, and ask; nothing is changed."""
    async with request.app[DATABASE].reading() as connection:
        row = await find_stop(connection, read_line(request.match_info))
    if row is None:
        raise HttpError("NOT_FOUND", "No such partition is stopped.")
    page = ReleasePage(stop=present_stop(row), back_url="/")
    return show(request, "release.html", page, section="pipeline")


async def release_line(request: web.Request) -> web.Response:
    """Let a partition go on, and write into the audit who did it."""
    form = request[FORM]
    await request.app[CARRIER].release(
        read_line(request.match_info),
        allowance=read_allowance(form),
        operator=request[OPERATOR].name,
    )
    return go_to("/audit")
