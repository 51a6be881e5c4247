"""Write the AsyncAPI document: every topic, who writes and reads it, and what its records are.

https://www.asyncapi.com/docs/reference/specification/v3.0.0, with Kafka's bindings 0.5.0. Made
from the declarations that the processes themselves run on. FastStream's own document tells of a
batch as one message, and of neither keys, headers, partitions nor groups.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schema import VERSION
from schema.kafka.topics import TOPICS
from workers.describe.changes import change_messages, change_schemas
from workers.describe.commands import command_schemas
from workers.describe.events import event_schemas
from workers.describe.headers import HEADERS
from workers.describe.messages import JSON, Message, inbound_messages
from workers.describe.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schema.kafka.topics import Topic
    from workers.describe.steps import Step

BINDING: Final = {"bindingVersion": "0.5.0"}
"""The version of Kafka's bindings that is spoken here."""

ABOUT: Final = (
    "Clerk users in your Postgres: webhooks come in on `clerk.*`, what signed-in users ask for on"
    " `app.*`, and what they have changed goes out on `*.changes`. Delivery is at least once, in"
    " order for each key. Ignore fields, headers and types of changes that you do not know; a field"
    " that is promised stays as it is."
)


def build_document() -> dict[str, Any]:
    """Return the document; the same for the same code."""
    messages = [*inbound_messages(), *change_messages()]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:clerkwork",
        "info": {
            "title": "clerkwork",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _tell_channel(topic, messages) for topic in TOPICS},
        "operations": {_name(step): _tell_step(step, messages) for step in STEPS},
        "components": {
            "messages": {f"{each.topic.name}.{each.name}": each.tell() for each in messages},
            "schemas": event_schemas() | command_schemas() | dict(HEADERS) | change_schemas(),
        },
    }


def write_document() -> str:
    """Return the document as it is served and committed."""
    return json.dumps(build_document(), indent=2, ensure_ascii=False) + "\n"


def _tell_channel(topic: Topic, messages: Iterable[Message]) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": _describe(topic),
        "messages": {
            each.name: {"$ref": f"#/components/messages/{topic.name}.{each.name}"}
            for each in _of(topic, messages)
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _tell_configuration(topic.config),
                **BINDING,
            }
        },
    }


def _tell_configuration(config: Mapping[str, str]) -> dict[str, Any]:
    """Return Kafka's settings in the types that the binding has for them."""
    return {
        name: value.split(",") if name == "cleanup.policy" else int(value)
        for name, value in config.items()
    }


def _tell_step(step: Step, messages: Iterable[Message]) -> dict[str, Any]:
    channel = f"#/channels/{step.topic.name}"
    told: dict[str, Any] = {
        "action": step.action,
        "channel": {"$ref": channel},
        "title": step.summary,
        "messages": [
            {"$ref": f"{channel}/messages/{each.name}"} for each in _of(step.topic, messages)
        ],
        "tags": [{"name": step.process}],
    }
    if step.group:
        group = {"type": "string", "const": step.group}
        told["bindings"] = {"kafka": {"groupId": group, **BINDING}}
    return told


def _of(topic: Topic, messages: Iterable[Message]) -> Sequence[Message]:
    return [each for each in messages if each.topic == topic]


def _name(step: Step) -> str:
    return f"{step.process}.{step.verb}.{step.topic.name}"


def _describe(topic: Topic) -> str:
    return f"{topic.value[0].upper()}{topic.value[1:]}."
