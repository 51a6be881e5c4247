"""The page of the topics, from their declarations and from who says what it does with them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from deploy.reference.markdown import codes, page, table
from schema.kafka.topics import CHANGES, DEAD_LETTER_TOPICS, RETRY_DELAYS, SOURCES, TOPICS
from workers.describe.document import ABOUT
from workers.describe.headers import HEADERS
from workers.describe.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schema.kafka.topics import Topic

_INTRODUCTION: Final = f"""\
# Topics

{ABOUT}

`clerkwork topics apply` brings a cluster to this state, `topics diff` shows what differs. The whole
contract, with schemas and examples, is AsyncAPI 3: every worker serves it at `/asyncapi`, and
[asyncapi.json](../../../schema/kafka/asyncapi.json) is the same. How to read the change topics:
[follow changes](../how-to/follow-changes.md)."""

_RETRIES: Final = tuple(
    each for each in TOPICS if each not in {*SOURCES, *DEAD_LETTER_TOPICS, *CHANGES}
)
_KINDS: Final = (
    ("Events and commands", "What comes in. Workers apply it.", SOURCES),
    (
        "Retries",
        f"What a bug of ours has failed waits: {', '.join(RETRY_DELAYS)}; then a dead letter.",
        _RETRIES,
    ),
    (
        "Dead letters",
        "What could not be read or applied, until somebody mends it.",
        DEAD_LETTER_TOPICS,
    ),
    ("Changes", "What others are told; compacted, so that a new reader gets everybody.", CHANGES),
)


def write_topics() -> str:
    """Return every topic, who writes and reads it, and the headers of records."""
    kinds = (_write(*kind) for kind in _KINDS)
    return page(_INTRODUCTION, *kinds, _who(), _headers())


def _write(title: str, about: str, topics: Sequence[Topic]) -> str:
    rows = [
        [f"`{each.name}`", str(each.partitions), _kept(each), each.key, each.value]
        for each in topics
    ]
    head = ["topic", "partitions", "kept", "key", "value"]
    return f"## {title}\n\n{about}\n\n{table(head, rows)}"


def _kept(topic: Topic) -> str:
    days = topic.retention_days
    return "compacted" if days is None else f"{days} days"


def _who() -> str:
    """Return what each process does with which topics, the like in one line."""
    found: defaultdict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for step in STEPS:
        action = "writes" if step.action == "send" else "reads"
        found[step.process, action, step.summary, step.group or ""].append(step.topic.name)
    rows = [
        [process, action, codes(topics), summary, f"`{group}`" if group else ""]
        for (process, action, summary, group), topics in found.items()
    ]
    head = ["process", "", "topics", "what for", "consumer group"]
    return f"## Who writes and who reads\n\n{table(head, rows)}"


def _headers() -> str:
    parts = ["## Headers", "CloudEvents 1.0 in Kafka's binary mode, and a few of our own."]
    for name, schema in HEADERS.items():
        required = set(schema.get("required", ()))
        rows = [
            [f"`{header}`", "always" if header in required else "", said.get("description", "")]
            for header, said in schema["properties"].items()
        ]
        parts += [f"### {name.removeprefix('headers.').capitalize()}"]
        parts += [table(["header", "", "meaning"], rows)]
    return "\n\n".join(parts)
