"""The description of the topics is AsyncAPI, and says what the code does.

`asyncapi-3.0.0.json` is the specification's own schema, unchanged: file `schemas/3.0.0.json` of
the npm package @asyncapi/specs, version 6.11.1, Copyright 2016-2025 AsyncAPI Initiative, Apache
License 2.0.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from ingest.prepare import Delivery, prepare
from schema.kafka import clerk
from schema.kafka.changes import CHANGE_TYPES, SOURCE, PostState, UserState, name_schema
from schema.kafka.headers import (
    ChangeHeaders,
    EventHeaders,
    Failure,
    Origin,
    read_headers,
    write_change_headers,
    write_event_headers,
    write_failure_headers,
)
from schema.kafka.letters import write_replay_headers
from schema.kafka.topics import (
    CHANGES,
    CLERK_EVENTS,
    DESK_GROUP,
    GROUP,
    SOURCES,
    TOPICS,
    UNREADABLE,
    Topic,
)
from schema.ops.tracing.parents import HEADER
from tests.describing import DOCUMENT, find_faults, message_of
from tests.factories import LOOKS, make_body
from workers.describe.changes import KINDS
from workers.describe.document import build_document
from workers.describe.events import DATA
from workers.project import PROJECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECIFICATION: Final = Draft7Validator(
    json.loads(Path(__file__).with_name("asyncapi-3.0.0.json").read_text(encoding="utf-8"))
)
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
PARENT: Final = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ORIGIN: Final = Origin(
    topic="clerk.user-events",
    partition=0,
    offset=0,
    timestamp_ms=0,
    group=GROUP,
    first_failed_at=NOW,
)
MESSAGES: Final = [
    (topic, name)
    for topic in DOCUMENT["channels"]
    for name in DOCUMENT["channels"][topic]["messages"]
]
SCHEMAS: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]


def _resolve(reference: str) -> Any:
    value: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)


def test_it_is_asyncapi() -> None:
    """As the specification's own schema has it; all that is referred to is there."""
    assert list(SPECIFICATION.iter_errors(DOCUMENT)) == []
    assert all(isinstance(_resolve(each), dict) for each in set(_references(DOCUMENT)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("asyncapi", "2.6.0"),
        ("operations/ingest.publish.clerk.user-events/action", "publish"),
        ("channels/user.changes/bindings/kafka/partitions", "12"),
        ("channels/user.changes/bindings/kafka/topicConfiguration/cleanup.policy", "compact"),
        ("components/messages/user.changes.state.1/kind", "x"),
    ],
)
def test_what_is_not_asyncapi_would_be_found(path: str, value: str) -> None:
    """The schema really looks at what we fill in."""
    broken = copy.deepcopy(DOCUMENT)
    *way, last = path.split("/")
    place = broken
    for part in way:
        place = place[part]
    place[last] = value

    assert not SPECIFICATION.is_valid(broken)


def test_it_is_the_same_every_time() -> None:
    """So that the committed file changes only with the code."""
    assert json.dumps(build_document()) == json.dumps(build_document())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_described_as_it_is_declared(topic: Topic) -> None:
    """Name, partitions, configuration, and what its key is."""
    channel = DOCUMENT["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    config = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in kafka["topicConfiguration"].items()
    }
    keys = {message_of(topic.name, each)["bindings"]["kafka"]["key"]["description"]
            for each in channel["messages"]}  # fmt: skip

    assert (channel["address"], kafka["topic"]) == (topic.name, topic.name)
    assert (kafka["partitions"], config) == (topic.partitions, dict(topic.config))
    assert keys == {topic.key}


def test_no_other_topic_is_described() -> None:
    """And each has at least one kind of record."""
    assert list(DOCUMENT["channels"]) == [topic.name for topic in TOPICS]
    assert all(channel["messages"] for channel in DOCUMENT["channels"].values())


def test_groups_read_what_they_read() -> None:
    """One applies, one retries each tier, one indexes; the real ones are looked at elsewhere."""
    read: dict[str, set[str]] = {}
    for operation in DOCUMENT["operations"].values():
        if operation["action"] == "receive":
            group = operation["bindings"]["kafka"]["groupId"]["const"]
            read.setdefault(group, set()).add(_resolve(operation["channel"]["$ref"])["address"])

    assert read == {
        GROUP: {topic.name for topic in SOURCES},
        **{
            f"clerkwork.projector.retry.{tier}": {f"{topic.name}.retry.{tier}" for topic in SOURCES}
            for tier in ("10s", "1m", "10m")
        },
        DESK_GROUP: {topic.name for topic in TOPICS if topic.name.endswith(".dlq")},
    }


def test_every_header_that_is_written_is_described() -> None:
    """And none that is not."""
    event = write_event_headers(
        EventHeaders(
            event_id="msg_1",
            event_type="user.created",
            source="tests",
            occurred_at=NOW,
            subject="user_1",
            request_id="1",
            redacted=True,
        )
    )
    failure = Failure(error_class="bug", error_code="X", message="m", retry_at=NOW)
    failed = dict(write_failure_headers(failure, ORIGIN))
    event.append((HEADER, PARENT))  # where somebody traces, the publisher adds it
    replay = dict(write_replay_headers(event, edited=True))
    written = {
        "headers.event": replay.keys(),
        "headers.postponed": replay.keys() | failed.keys(),
        "headers.dead": (replay.keys() | failed.keys()) - {"x-retry-at"},
        "headers.unreadable": dict(event).keys()
        | dict(
            write_failure_headers(Failure(error_class="bug", error_code="X", message="m"))
        ).keys(),
    }

    assert {name: SCHEMAS[name]["properties"].keys() for name in written} == written
    assert find_faults(read_headers(replay.items()), SCHEMAS["headers.event"]) == []
    postponed = read_headers([*replay.items(), *failed.items()])
    assert find_faults(postponed, SCHEMAS["headers.postponed"]) == []


@pytest.mark.parametrize("topic", CHANGES)
def test_every_header_of_a_change_is_described(topic: Topic) -> None:
    """With a state, and without."""
    headers = ChangeHeaders(
        position=1_769_904_000_000_000,
        change_type="clerkwork.user.updated",
        source=SOURCE,
        subject="user_1",
        schema=name_schema(topic.name),
        traceparent=PARENT.decode(),
    )
    state = dict(read_headers(write_change_headers(headers)))
    gone = dict(read_headers(write_change_headers(replace(headers, schema=None))))
    described = {"headers.tombstone": gone, f"headers.{topic.name}.1": state}

    for name, written in described.items():
        assert written.keys() == SCHEMAS[name]["properties"].keys()
        assert find_faults(written, SCHEMAS[name]) == []


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name.startswith("headers.")])
def test_every_header_is_explained(name: str) -> None:
    """In words."""
    assert all(each["description"] for each in SCHEMAS[name]["properties"].values())


@pytest.mark.parametrize(("topic", "name"), MESSAGES)
def test_examples_are_what_they_are_examples_of(topic: str, name: str) -> None:
    """Headers and value hold to their schemas."""
    message = message_of(topic, name)
    examples = message.get("examples", [])

    assert examples
    for example in examples:
        assert find_faults(example["payload"], message["payload"]) == []
        if "headers" in example:
            assert find_faults(example["headers"], message["headers"]) == []


@pytest.mark.parametrize("topic", [*CLERK_EVENTS, UNREADABLE], ids=lambda topic: topic.name)
def test_examples_are_what_ingest_publishes(topic: Topic, sample: dict[str, bytes]) -> None:
    """Of the recorded webhook that they are named after."""
    name = next(iter(DOCUMENT["channels"][topic.name]["messages"]))
    example = message_of(topic.name, name)["examples"][0]
    body = sample[example["name"]]
    headers = example["headers"]
    delivery = Delivery(body=body, event_id=headers["ce_id"], request_id=headers["x-request-id"])
    record = prepare(delivery, instance_id="ins_x" if topic is UNREADABLE else None).record

    assert record.topic == topic.name
    assert read_headers(record.headers) == headers
    assert json.loads(record.value or b"") == example["payload"]


def test_a_change_is_one_kind_of_record() -> None:
    """A state or a tombstone, never both; every type of change is told."""
    for topic, model in (("user.changes", UserState), ("post.changes", PostState)):
        state, tombstone = message_of(topic, "state.1"), message_of(topic, "tombstone")
        value = state["examples"][0]["payload"]

        assert model.model_validate(value).model_dump(mode="json") == value
        assert find_faults(value, tombstone["payload"])
        assert find_faults(None, state["payload"])
    told = {each for leaving, gone in KINDS.values() for each in (*leaving, *gone)}
    assert told == set(CHANGE_TYPES)


def test_the_contracts_of_records_are_embedded_whole() -> None:
    """Less the dialect: an AsyncAPI document has its own, in which all of it means the same."""
    for name in ("user.changes.1", "post.changes.1"):
        file = Path(clerk.__file__).with_name("schemas") / f"{name}.json"
        published = json.loads(file.read_text(encoding="utf-8"))
        embedded = SCHEMAS[name]

        assert published == {"$schema": Draft202012Validator.META_SCHEMA["$id"], **embedded}
        assert message_of(name.removesuffix(".1"), "state.1")["payload"] == {
            "$ref": f"#/components/schemas/{name}"
        }
        Draft7Validator.check_schema(embedded)


def test_every_recorded_webhook_is_an_event(sample: dict[str, bytes]) -> None:
    """As the document describes one; every look at Clerk too."""
    looks = {name: make_body(name) for name in LOOKS}
    faults = {
        name: find_faults(json.loads(body), SCHEMAS["clerk.Envelope"])
        for name, body in {**sample, **looks}.items()
    }

    assert {name: found for name, found in faults.items() if found} == {}


VALUES: Final[tuple[Any, ...]] = (
    None,
    1,
    -1,
    1.5,
    True,
    "",
    "x",
    "x y",
    "x" * 3000,
    [],
    [1],
    ["x"],
    {},
    {"id": 7},
)


@pytest.mark.parametrize("kind", [*DATA.values(), clerk.Envelope], ids=lambda kind: kind.__name__)
def test_an_event_is_described_as_it_is_read(
    kind: type[msgspec.Struct], sample: dict[str, bytes]
) -> None:
    """Whatever stands in one of its fields: who validates first is refused the same."""
    types = [name for name, projection in PROJECTIONS.items() if DATA[projection] is kind]
    body = next(body for name, body in sample.items() if name in types or not types)
    event = json.loads(body)
    whole = event if kind is clerk.Envelope else event["data"]
    schema = {"$ref": f"#/components/schemas/clerk.{kind.__name__}"}
    for field in msgspec.structs.fields(kind):
        for value in VALUES:
            changed = whole | {field.name: value}
            assert _reads(kind, changed) == (find_faults(changed, schema) == []), (
                field,
                value,
            )
        without = {name: each for name, each in whole.items() if name != field.name}
        assert _reads(kind, without) == (find_faults(without, schema) == []), field


def _reads(kind: type[msgspec.Struct], value: Any) -> bool:
    body = json.dumps(value).encode()
    try:
        if kind is clerk.Envelope:
            clerk.read_envelope(body)
        else:
            msgspec.json.decode(body, type=kind)
    except (msgspec.ValidationError, clerk.MalformedEventError):
        return False
    return True
