"""The pages of operations, and of the audit, which has them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from deploy.desk.admit import OPERATOR
from deploy.desk.carry import CARRIER
from deploy.desk.database import DATABASE
from deploy.desk.find import operations as find
from deploy.desk.models.operations import AuditPage, OperationPage, OperationsPage
from deploy.desk.parse import PAGE_SIZE, read_cursor, read_operation, write_cursor, write_query
from deploy.desk.present import present_operation
from deploy.desk.show import go_to, show
from deploy.letters.select import STATES
from schema.http.errors import HttpError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping
    from typing import Any

    from deploy.desk.models.operations import OperationRow

NEWEST: Final = 20
"""Operations that are done are shown beside those that are not, so many."""

_RESUMED: Final = ("replay", "edit")


async def list_operations(request: web.Request) -> web.Response:
    """Show what runs or has broken off, and what was done last."""
    async with request.app[DATABASE].reading() as connection:
        unfinished = await find.find_unfinished(connection)
        newest = await find.find_page(connection, after=None, most=NEWEST)
    page = OperationsPage(
        unfinished=tuple(map(present_operation, unfinished)),
        finished=tuple(present_operation(row) for row in newest if row["finished_at"]),
    )
    return show(request, "operations.html", page, section="operations")


async def show_operation(request: web.Request) -> web.Response:
    """Show one operation and how far it is."""
    row = await _find(request)
    shown = present_operation(row)
    broken = shown.state == "broken" and row["action"] in _RESUMED
    page = OperationPage(
        row=shown,
        share=_share(shown),
        problem=request.app[CARRIER].problem(row["id"]) if broken else "",
        letters_url=_letters_url(shown),
        progress_url=f"{shown.url}/progress",
        resume_url=f"{shown.url}/resume" if broken else "",
    )
    return show(request, "operation.html", page, section="operations")


async def show_progress(request: web.Request) -> web.Response:
    """Tell how far an operation is, as JSON."""
    row = present_operation(await _find(request))
    return web.json_response({"planned": row.planned, "done": row.done, "state": row.state})


async def resume_operation(request: web.Request) -> web.Response:
    """Go on with an operation that has broken off."""
    operation = read_operation(request.match_info)
    await request.app[CARRIER].resume(operation, operator=request[OPERATOR].name)
    return go_to(f"/operations/{operation}")


async def list_audit(request: web.Request) -> web.Response:
    """Show all that operators have done, the newest first."""
    after = read_cursor(request.query, find.After)
    async with request.app[DATABASE].reading() as connection:
        rows = await find.find_page(connection, after=after, most=PAGE_SIZE + 1)
    last = rows[PAGE_SIZE - 1] if len(rows) > PAGE_SIZE else None
    cursor = write_cursor(last["started_at"], str(last["id"])) if last else ""
    page = AuditPage(
        rows=tuple(map(present_operation, rows[:PAGE_SIZE])),
        older_url=f"/audit?cursor={cursor}" if cursor else "",
        newest_url="/audit" if after else "",
    )
    return show(request, "audit.html", page, section="audit")


async def _find(request: web.Request) -> Mapping[str, Any]:
    operation: uuid.UUID = read_operation(request.match_info)
    async with request.app[DATABASE].reading() as connection:
        row: Mapping[str, Any] | None = await find.find_operation(connection, operation)
    if row is None:
        raise HttpError("NOT_FOUND", "There is no such operation.")
    return row


def _share(row: OperationRow) -> float:
    if not row.planned:
        return 1.0 if row.finished_at else 0.0
    return min(1.0, row.done / row.planned)


def _letters_url(row: OperationRow) -> str:
    """Return a search for what was asked for, in whatever state it is now."""
    if row.action not in {"replay", "purge"}:
        return ""
    asked = {fact.name.replace(" ", "_"): fact.value for fact in row.asked}
    names = ("reason", "error_class", "type", "user", "topic", "event", "since", "until")
    states = [("state", each) for each in STATES]
    return f"/letters{write_query([*states, *((name, asked.get(name, '')) for name in names)])}"
