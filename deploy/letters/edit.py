"""Edit a dead letter: change its payload, look at the difference, and send the edited copy."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy.database import refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.ask import agree
from deploy.letters.change import compact, differ, set_value
from deploy.letters.desk import Desk, DeskSettings, opened_desk
from deploy.letters.mask import show_payload
from deploy.letters.operate import (
    Operation,
    finish,
    give_back,
    lock,
    new_id,
    settle,
    who,
    write_selection,
)
from deploy.letters.select import WAITING
from deploy.letters.show import Found, find_letter
from deploy.letters.tell import one_line, write_line
from ingest.prepare import Delivery, prepare
from schema.kafka.letters import read_letter, write_replay_headers
from schema.kafka.producer import BrokerUnavailableError, Record
from schema.kafka.topics import SOURCES
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings
from schema.postgres.statements import read_statements
from workers.decode import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord
    from rich.console import Console

_SQL: Final = read_statements(__file__)


def run_edit(name: str, *, assignments: Sequence[str], yes: bool, console: Console) -> int:
    """Edit a letter of the environment's servers, in $EDITOR or by assignments; return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DeskSettings)
    configure_logs(settings.model_copy(update={"log_level": "ERROR"}))
    with refusing_in_words():
        found = asyncio.run(_find(settings, name))
    letter = require_waiting(found)
    new = _change(letter.value or b"null", assignments)
    difference = differ(letter.value, new, context=0 if assignments else 3)
    if not difference:
        console.print("Nothing is changed.")
        return 0
    for line in difference:
        write_line(console, one_line(line))
    record = write_edited(letter, new)
    if not agree(f"Send this to {record.topic}?", yes=yes):
        return 0
    with refusing_in_words():
        asyncio.run(_send(settings, found, record=record))
    console.print(f"The edited copy is sent to {record.topic}; the letter counts as replayed.")
    return 0


def write_edited(letter: ConsumerRecord[Any, Any], payload: bytes) -> Record:
    """Return the record that an edited letter is sent as: to its first topic, with its key.

    A body that ingest could not read goes where ingest would have put it. Raises OperatorError
    when the payload cannot be read now either.
    """
    topic = read_letter(letter.headers).source_topic
    if topic in {source.name for source in SOURCES}:
        headers = write_replay_headers(letter.headers, edited=True)
        record = Record(topic=topic, key=letter.key, value=payload, headers=headers)
    else:
        record = _prepare_anew(letter, payload)
    copy = dataclasses.replace(letter, value=record.value, headers=tuple(record.headers))
    reason = decode(copy).reason
    if reason:
        raise OperatorError(f"As it is now, it would die again: {reason}.")
    return record


def _prepare_anew(letter: ConsumerRecord[Any, Any], payload: bytes) -> Record:
    place = f"{letter.topic}-{letter.partition}-{letter.offset}"
    event_id = read_letter(letter.headers).event_id or place
    delivery = Delivery(body=payload, event_id=event_id, request_id="")
    prepared = prepare(delivery, instance_id=None)
    if prepared.status != "accepted":
        reason = read_letter(prepared.record.headers).reason
        raise OperatorError(f"As it is now, it would die again: {reason}.")
    counted = [each for each in letter.headers if each[0] == "x-replay-count"]
    headers = write_replay_headers([*prepared.record.headers, *counted], edited=True)
    return prepared.record._replace(headers=headers)


def require_waiting(found: Found) -> ConsumerRecord[Any, Any]:
    """Return the record of a letter that can be edited. Raises OperatorError."""
    if found.row["state"] not in WAITING:
        raise OperatorError(f"The letter is {found.row['state']} already.")
    if found.record is None:
        raise OperatorError("Kafka does not have the record any more: its retention has passed.")
    return found.record


def _change(old: bytes, assignments: Sequence[str]) -> bytes:
    if not assignments:
        return compact(_open_editor(show_payload(old)).encode())
    for assignment in assignments:
        old = set_value(old, assignment)
    return old


def _open_editor(text: str) -> str:
    """Return what the operator makes of `text`. Raises OperatorError when the editor fails."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        raise OperatorError("Say which editor to use, in EDITOR, or what to change: --set.")
    with tempfile.TemporaryDirectory(prefix="clerkwork-") as directory:  # its owner's alone
        file = Path(directory) / "letter.json"
        file.write_text(f"{text}\n", encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), str(file)], check=True)  # noqa: S603  # theirs
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise OperatorError(f"The editor {command} failed: nothing is changed.") from error
        return file.read_text(encoding="utf-8", errors="replace")


async def _find(settings: DeskSettings, name: str) -> Found:
    async with opened_desk(settings) as desk:
        return await find_letter(desk.connection, name, consumer=desk.consumer)


async def _send(settings: DeskSettings, found: Found, *, record: Record) -> None:
    async with opened_desk(settings) as desk:
        await send_edited(desk, found, record=record)


async def send_edited(
    desk: Desk, found: Found, *, record: Record, operator: str | None = None
) -> Operation:
    """Send the edited copy of a letter, and mark the letter as replayed. Raises OperatorError.

    `operator` is who does, where it is not the user of this process.
    """
    operation = await _take(desk, found, operator=operator or who())
    try:
        await desk.producer.send(record)
    except BrokerUnavailableError:
        await give_back(desk.connection, operation)
        raise OperatorError("Kafka does not take the edited copy. Try again later.") from None
    await settle(desk.connection, operation, places=[found.place], state="replayed")
    await finish(desk.connection, operation)
    return operation


async def _take(desk: Desk, found: Found, *, operator: str) -> Operation:
    """Take the letter, and write into the audit who does and which it is; not what was changed."""
    operation = new_id()
    await lock(desk.connection, operation)
    selection = {"event": found.row["event_id"], "letter": str(found.place)}
    taken = await desk.connection.fetchval(
        _SQL["take_letter"], *found.place, operation, operator, write_selection(selection)
    )
    if not taken:
        raise OperatorError("Somebody else has just dealt with the letter.")
    return Operation(id=operation, action="edit", planned=1)
