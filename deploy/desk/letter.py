"""The pages of one dead letter: masked, in full, edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from deploy.desk.admit import OPERATOR
from deploy.desk.carry import CARRIER
from deploy.desk.database import DATABASE
from deploy.desk.find.operations import find_of_letter, note
from deploy.desk.kafka import READER, BrokerAwayError
from deploy.desk.models.frame import Fact
from deploy.desk.models.letters import DiffLine, EditPage, LetterPage, Payload
from deploy.desk.parse import read_place_of, read_text, write_query
from deploy.desk.present import present_letter, present_operation
from deploy.desk.show import go_to, show
from deploy.desk.stand import FORM
from deploy.errors import OperatorError
from deploy.letters.change import compact, differ, set_value
from deploy.letters.edit import require_waiting, write_edited
from deploy.letters.mask import mask_headers, mask_payload, show_headers, show_payload
from deploy.letters.select import WAITING
from deploy.letters.show import Found, find_record, find_row
from deploy.letters.tell import one_line
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from multidict import MultiMapping

    from deploy.desk.models.letters import LetterRow
    from deploy.desk.models.operations import OperationRow

log = structlog.get_logger(__name__)

_SECTION: Final = "letters"
_KINDS: Final[dict[str, Any]] = {"+": "added", "-": "removed", "@": "place", " ": "same"}


class Looked(NamedTuple):
    """A letter, and the operations that took it."""

    found: Found
    operations: tuple[OperationRow, ...]
    problem: str = ""


async def show_letter(request: web.Request) -> web.Response:
    """Show a letter, its personal data masked; without Kafka, what the index knows."""
    row, operations = await _find_row(request)
    try:
        looked = Looked(await _find_record(request, row), operations)
    except BrokerAwayError as error:
        looked = Looked(Found(row=row, record=None), operations, error.message)
    return _show(request, looked, masked=True)


async def reveal_letter(request: web.Request) -> web.Response:
    """Show a letter in full, and write into the audit who has seen it."""
    looked = await _find(request)
    await _note_reveal(request, looked.found)
    return _show(request, looked, masked=False)


async def edit_letter(request: web.Request) -> web.Response:
    """Show what an edit would change; with `step=send`, send the edited copy."""
    looked = await _find(request)
    form, found = request[FORM], looked.found
    record = require_waiting(found)
    text = form.get("payload", "").replace("\r\n", "\n")
    try:
        new = _change(record.value or b"null", form, text=text)
        difference = _differ(record.value, new)
        edited = write_edited(record, new)
    except OperatorError as error:
        # What was there is seen in what differs.
        await _note_reveal(request, found)
        return _show_edit(request, found, text=text, problem=str(error))
    if read_text(form, "step") == "send":
        carrier = request.app[CARRIER]
        operation = await carrier.send(found, edited, operator=request[OPERATOR].name)
        return go_to(f"/operations/{operation}")
    await _note_reveal(request, found)
    return _show_edit(
        request, found, text=show_payload(new), goes_to=edited.topic, difference=difference
    )


def _differ(old: bytes | None, new: bytes) -> list[str]:
    difference = differ(old, new)
    if not difference:
        raise OperatorError("Nothing is changed.")
    return difference


def _change(old: bytes, form: MultiMapping[str], *, text: str) -> bytes:
    if text:
        return compact(text.encode())
    return set_value(old, read_text(form, "assignment"))


async def _find(request: web.Request) -> Looked:
    row, operations = await _find_row(request)
    return Looked(await _find_record(request, row), operations)


async def _find_row(
    request: web.Request,
) -> tuple[Mapping[str, Any], tuple[OperationRow, ...]]:
    place = read_place_of(request.match_info)
    async with request.app[DATABASE].reading() as connection:
        row = await find_row(connection, place)
        operations = await find_of_letter(connection, place)
    if row is None:
        raise HttpError("NOT_FOUND", f"There is no dead letter {one_line(place)}.")
    return row, tuple(map(present_operation, operations))


async def _find_record(request: web.Request, row: Mapping[str, Any]) -> Found:
    async with request.app[READER].reading() as consumer:
        return await find_record(row, consumer=consumer)


async def _note_reveal(request: web.Request, found: Found) -> None:
    operator = request[OPERATOR].name
    said = {"reveal": str(found.place), "event": found.row["event_id"]}
    async with request.app[DATABASE].reading() as connection:
        # The audit's table knows no better word: it is what an edit begins with, of no letters.
        await note(connection, "edit", operator=operator, said=said)
    log.info("letter_revealed", user_id=operator, event_id=found.row["event_id"])


def _show(request: web.Request, looked: Looked, *, masked: bool) -> web.Response:
    found = looked.found
    row = present_letter(found.row)
    waits = row.state in WAITING
    page = LetterPage(
        row=row,
        facts=tuple(_facts(row, found)),
        headers=tuple(_headers(found, masked=masked)),
        payload=_payload(found, masked=masked),
        operations=looked.operations,
        waits=waits,
        reveal_url=f"{row.url}/reveal",
        edit_url=f"{row.url}/edit",
        replay_url=_plan_url(row, "replay") if waits else "",
        purge_url=_plan_url(row, "purge") if waits else "",
        problem=looked.problem,
    )
    return show(request, "letter.html", page, section=_SECTION)


def _show_edit(  # noqa: PLR0913 - what a page shows
    request: web.Request,
    found: Found,
    *,
    text: str,
    problem: str = "",
    goes_to: str = "",
    difference: list[str] | None = None,
) -> web.Response:
    row = present_letter(found.row)
    lines = [each for each in difference or [] if not each.startswith(("---", "+++"))]
    old = found.record.value if found.record else None
    page = EditPage(
        row=row,
        difference=tuple(DiffLine(kind=_KINDS[each[:1] or " "], text=each) for each in lines),
        payload=text or show_payload(old),
        goes_to=goes_to,
        problem=problem,
        edit_url=f"{row.url}/edit",
        back_url=row.url,
    )
    return show(request, "edit.html", page, section=_SECTION)


def _facts(row: LetterRow, found: Found) -> list[Fact]:
    first = found.row["first_failed_at"]
    said = {
        "died": f"{row.dead_at:%Y-%m-%d %H:%M:%S} UTC",
        "first failed": f"{first:%Y-%m-%d %H:%M:%S} UTC" if first else "",
        "attempts": str(row.attempts),
        "replays": str(row.replays),
        "edited": "yes" if row.edited else "no",
        "type": row.type,
        "user": row.user,
        "event": row.event_id,
        "in Kafka": row.place,
        "from": row.source,
    }
    return [Fact(name=name, value=value) for name, value in said.items() if value]


def _headers(found: Found, *, masked: bool) -> list[Fact]:
    if found.record is None:
        return []
    raw = list(found.record.headers)
    shown = mask_headers(raw) if masked else show_headers(raw)
    return [Fact(name=one_line(name), value=one_line(text)) for name, text in shown]


def _payload(found: Found, *, masked: bool) -> Payload | None:
    if found.record is None:
        return None
    value = found.record.value
    text = mask_payload(value) if masked else show_payload(value)
    return Payload(
        lines=tuple(text.split("\n")),
        masked=masked,
        bytes=0 if value is None else len(value),
    )


def _plan_url(row: LetterRow, action: str) -> str:
    """Return the dry run for all letters of the event: a letter alone has no other name."""
    if not row.event_id:
        return ""
    states = [("state", each) for each in WAITING]
    topic = row.place.split("/")[0]
    asked = [("action", action), *states, ("event", row.event_id), ("topic", topic)]
    return f"/letters/plan{write_query(asked)}"
