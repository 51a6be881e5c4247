"""From a command's record to the rows it asks for, or to why it is dead or refused."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schema.kafka.commands import (
    CHANGE_POST,
    COMMAND_TYPES,
    CREATE_POST,
    DELETE_DATA,
    DELETE_POST,
    MAX_BODY,
    MAX_TITLE,
    PUT_DATA,
    DataDeletion,
    DataPut,
)
from schema.kafka.headers import Failure, Origin, write_failure_headers
from schema.kafka.topics import CLERK_EVENTS, RETRY_DELAYS, USER_COMMANDS, retry_topic
from schema.postgres.ids import derive_id
from tests.commands import (
    OWN_DATA,
    change_post,
    command_record,
    create_post,
    delete_post,
    new_post_id,
    raw_command,
)
from tests.factories import CREATED_MS, make_body, new_user_id
from workers.decode import decode
from workers.project.commands import COMMANDS
from workers.project.posts import DataRow, PostRow, Register
from workers.project.users import UserRow

if TYPE_CHECKING:
    from workers.decode import Event

AUTHOR = new_user_id()
POST = new_post_id(AUTHOR)
STUB = UserRow(id=derive_id(AUTHOR), clerk_id=AUTHOR)
ROW = PostRow(id=POST, user_id=derive_id(AUTHOR))


def _decoded(kind: str, *, asker: str = AUTHOR, timestamp: Any = CREATED_MS, **data: Any) -> Event:
    whole = {"id": str(POST), "user_id": AUTHOR} | data
    body = {"type": kind, "timestamp": timestamp, "data": whole}
    return decode(raw_command(json.dumps(body).encode(), asker=asker, kind=kind))


def test_every_type_of_command_is_projected() -> None:
    """None is left out."""
    assert set(COMMANDS) == set(COMMAND_TYPES)


def test_a_creation_names_its_author_and_has_every_field() -> None:
    """Its fields are of no change."""
    event = decode(command_record(create_post(AUTHOR, POST, "Hi", body="Text", status="published")))
    fields = (Register(value="Hi"), Register(value="Text"), Register(value="published"))

    assert event.rows == (STUB, ROW._replace(created=CREATED_MS, fields=fields))


def test_a_change_has_the_fields_that_it_changes() -> None:
    """With when, and by which command."""
    record = command_record(change_post(AUTHOR, POST, body=""), at=7, command_id="cmd_1")
    changed = Register(CREATED_MS + 7, "cmd_1", "")

    assert decode(record).rows == (STUB, ROW._replace(fields=(Register(), changed, Register())))


def test_a_deletion_has_its_time() -> None:
    """And nothing else."""
    event = decode(command_record(delete_post(AUTHOR, POST), at=7))

    assert event.rows == (STUB, ROW._replace(deleted=CREATED_MS + 7))


def test_what_users_say_is_written_as_postgresql_writes_it() -> None:
    """So that both order two values alike: keys by length, then by bytes."""
    value = msgspec.Raw(b'{"new-editor":true,"ab":false,"aa":true}')
    put = command_record(
        DataPut(user_id=AUTHOR, key="feature_flags", value=value), command_id="cmd_1"
    )
    unset = command_record(DataDeletion(user_id=AUTHOR, key="feature_flags"), command_id="cmd_1")
    row = DataRow(derive_id(AUTHOR), "feature_flags", None, CREATED_MS, "cmd_1")

    assert decode(unset).rows == (STUB, row)
    assert decode(put).rows == (
        STUB,
        row._replace(value='{"aa": true, "ab": false, "new-editor": true}'),
    )


@pytest.mark.parametrize("key", OWN_DATA)
def test_each_key_takes_its_own_shape(key: str) -> None:
    """And no other's."""
    taken = {
        shape: _decoded(PUT_DATA, key=key, value=value).reason is None
        for shape, value in OWN_DATA.items()
    }

    assert [shape for shape in taken if taken[shape]] == [key]


@pytest.mark.parametrize(
    ("kind", "over", "field"),
    [
        (CREATE_POST, {}, "$.data"),
        (CREATE_POST, {"title": "", "body": "", "status": "draft"}, "$.data.title"),
        (CHANGE_POST, {"title": "x" * (MAX_TITLE + 1)}, "$.data.title"),
        (CHANGE_POST, {"body": "x" * (MAX_BODY + 1)}, "$.data.body"),
        (CHANGE_POST, {"title": "secret\x00"}, "$.data.title"),
        (CHANGE_POST, {"body": "secret\x00"}, "$.data.body"),
        (CHANGE_POST, {"status": "secret"}, "$.data.status"),
        (CHANGE_POST, {"title": 7}, "$.data.title"),
        (CHANGE_POST, {}, "$.data"),
        (CHANGE_POST, {"title": None}, "$.data"),
        (DELETE_POST, {"id": "secret"}, "$.data.id"),
        (DELETE_POST, {"id": 7}, "$.data.id"),
        (DELETE_POST, {"user_id": "two words"}, "$.data.user_id"),
        (DELETE_POST, {"user_id": "user_secret"}, "$.data.user_id"),
        (DELETE_POST, {"asker": "user_secret"}, "$.data.user_id"),
        (DELETE_POST, {"timestamp": None}, "$.timestamp"),
        (DELETE_POST, {"timestamp": 0}, "$.timestamp"),
        (DELETE_POST, {"timestamp": -1}, "$.timestamp"),
        (DELETE_POST, {"timestamp": 10**18}, "$.timestamp"),
        (DELETE_POST, {"timestamp": "secret"}, "$.timestamp"),
        (DELETE_DATA, {"key": "session_count"}, "$.data.key"),
        (DELETE_DATA, {"key": "secret"}, "$.data.key"),
        (PUT_DATA, {"key": "preferences"}, "$.data"),
        (PUT_DATA, {"key": "preferences", "value": None}, "$.data.value"),
        (
            PUT_DATA,
            {"key": "preferences", "value": OWN_DATA["preferences"] | {"theme": "secret"}},
            "$.data.value.theme",
        ),
        (
            PUT_DATA,
            {"key": "preferences", "value": OWN_DATA["preferences"] | {"secret": 1}},
            "$.data.value.*",
        ),
        (PUT_DATA, {"key": "feature_flags", "value": {"secret!": True}}, "$.data.value.*"),
        (PUT_DATA, {"key": "feature_flags", "value": {"secret": "on"}}, "$.data.value.*"),
        (PUT_DATA, {"key": "feature_flags", "value": {"a\x00": True}}, "$.data.value.*"),
    ],
)
def test_a_bad_field_is_named(kind: str, over: dict[str, Any], field: str) -> None:
    """The reason names it, and holds nothing of what the user said."""
    event = _decoded(kind, **over)

    assert event.rows == ()
    assert event.reason is not None
    assert event.reason.startswith((f"{field}: ", f"{field}.*"))
    assert "secret" not in event.reason
    assert (event.refused, event.error_class) == (False, "poison.decode")


@pytest.mark.parametrize("kind", [CREATE_POST, CHANGE_POST, DELETE_POST])
def test_somebody_elses_post_is_refused(kind: str) -> None:
    """That is no fault of the command's: it is read, and not done."""
    fields = {"title": "Mine", "body": "", "status": "draft"}
    event = _decoded(kind, id=str(new_post_id(new_user_id())), **fields)

    assert event.refused
    assert event.rows == ()
    assert event.reason == "$.data.id: the post is somebody else's"


@pytest.mark.parametrize("post", [uuid.uuid4(), uuid.UUID(int=0), derive_id(AUTHOR)])
def test_an_id_that_nobody_can_have_made_is_refused(post: uuid.UUID) -> None:
    """Posts have no other ids than those that tell their author."""
    assert decode(command_record(create_post(AUTHOR, post))).refused


@pytest.mark.parametrize("topic", CLERK_EVENTS)
def test_a_command_is_none_of_clerks_events(topic: Any) -> None:
    """Whoever can sign as Clerk cannot speak for its users."""
    record = command_record(create_post(AUTHOR, POST))
    event = decode(raw_command(record.value or b"", asker=AUTHOR, kind="x", topic=topic.name))

    assert event.rows == ()
    assert event.reason == "$.type: a command on a topic of events"


@pytest.mark.parametrize("body", [make_body("user.created"), b'{"type":"clerkwork.x","data":{}}'])
def test_an_event_is_no_command(body: bytes) -> None:
    """Nor is a type that this version does not know."""
    event = decode(raw_command(body, asker=AUTHOR, kind="x"))

    assert event.rows == ()
    assert event.reason == "$.type: no command, on their topic"


@pytest.mark.parametrize("source", [USER_COMMANDS, *CLERK_EVENTS], ids=lambda topic: topic.name)
@pytest.mark.parametrize("tier", RETRY_DELAYS)
def test_what_is_tried_again_is_known_by_where_it_came_from(source: Any, tier: str) -> None:
    """The topic of a tier says nothing; its header does."""
    record = command_record(create_post(AUTHOR, POST))
    origin = Origin(
        topic=source.name,
        partition=0,
        offset=0,
        timestamp_ms=0,
        group="tests",
        first_failed_at=decode(record).occurred_at,
    )
    failed = write_failure_headers(Failure(error_class="bug", error_code="X", message="m"), origin)
    again = raw_command(
        record.value or b"",
        asker=AUTHOR,
        kind=CREATE_POST,
        topic=retry_topic(source, tier).name,
        headers=failed,
    )

    assert (decode(again).reason is None) == (source == USER_COMMANDS)


def test_the_key_must_be_the_users_too() -> None:
    """Else the commands of one user would not be in their order."""
    record = command_record(delete_post(AUTHOR, POST))
    stray = raw_command(record.value or b"", asker=AUTHOR, kind=DELETE_POST, key=b"user_other")
    reason = decode(stray).reason

    assert reason is not None
    assert reason.startswith("$.data.user_id: ")
