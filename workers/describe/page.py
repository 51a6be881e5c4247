"""Show the document as one page of HTML: no scripts, and nothing from anywhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schema.http.pages.frame import build_frame
from schema.http.pages.markup import Markup, facts, join, link, prose, tag
from schema.http.pages.shapes import show_fields, show_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schema.http.pages.markup import Node

_DAY_MS: Final = 24 * 60 * 60 * 1000


def build_page(document: Mapping[str, Any]) -> str:
    """Return the page that shows a document as `build_document` makes it."""
    info, channels = document["info"], document["channels"]
    schemas = document["components"]["schemas"]
    return build_frame(
        f"Topics of {info['title']}",
        tag("h1", f"Topics of {info['title']}"),
        tag("p", f"Version {info['version']} · ", link("asyncapi.json", "AsyncAPI document")),
        tag("p", prose(info["description"])),
        tag("nav", tag("ul", [tag("li", link(f"#{name}", name)) for name in channels])),
        tag("main", [_show_channel(name, document) for name in channels]),
        tag("h2", "Headers and values"),
        [_show_schema(name, schema) for name, schema in schemas.items()],
    )


def _show_channel(name: str, document: Mapping[str, Any]) -> Markup:
    channel = document["channels"][name]
    kafka = channel["bindings"]["kafka"]
    messages = document["components"]["messages"]
    return tag(
        "section",
        tag("h2", name),
        tag("p", prose(channel["description"])),
        facts(
            [
                ("partitions", str(kafka["partitions"])),
                ("retention", _retention(kafka["topicConfiguration"])),
                *_traffic(name, document),
            ]
        ),
        [_show_message(messages[f"{name}.{each}"]) for each in channel["messages"]],
        id=name,
    )


def _retention(config: Mapping[str, Any]) -> str:
    """Return how long records are kept."""
    if "compact" in config["cleanup.policy"]:
        lag, tombstones = (
            config[name] // _DAY_MS for name in ("max.compaction.lag.ms", "delete.retention.ms")
        )
        return (
            "compacted: the latest record of every key is kept for ever, what it replaces is gone"
            f" after {lag} day, and tombstones {tombstones} days later"
        )
    return f"{config['retention.ms'] // _DAY_MS} days"


def _traffic(name: str, document: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
    """Yield who of ours writes and who reads a topic."""
    for action, title in (("send", "written by"), ("receive", "read by")):
        found = [
            _show_operation(each)
            for each in document["operations"].values()
            if each["channel"]["$ref"] == f"#/channels/{name}" and each["action"] == action
        ]
        if found:
            yield title, found


def _show_operation(operation: Mapping[str, Any]) -> Markup:
    process = operation["tags"][0]["name"]
    group = operation.get("bindings", {}).get("kafka", {}).get("groupId", {}).get("const")
    suffix: Node = (", group ", tag("code", group)) if group else ""
    return tag("div", f"{process}: {operation['title']}", suffix)


def _show_message(message: Mapping[str, Any]) -> Markup:
    key = message["bindings"]["kafka"]["key"]
    types = [("type", prose(message["summary"]))] if "summary" in message else []
    return join(
        tag("h3", message["title"]),
        facts(
            [
                *types,
                ("key", (key["description"], ": ", show_type(key))),
                ("headers", show_type(message["headers"])),
                ("value", _show_value(message)),
            ]
        ),
        [_show_example(each) for each in message.get("examples", ())],
    )


def _show_value(message: Mapping[str, Any]) -> Markup:
    media = message.get("contentType")
    return join(show_type(message["payload"]), f", {media}" if media else "")


def _show_example(example: Mapping[str, Any]) -> Markup:
    headers = "\n".join(f"{name}: {value}" for name, value in example.get("headers", {}).items())
    value = json.dumps(example["payload"], indent=2, ensure_ascii=False)
    return tag(
        "details",
        tag("summary", f"Example: {example['name']}"),
        tag("pre", headers) if headers else "",
        tag("pre", value),
    )


def _show_schema(name: str, schema: Mapping[str, Any]) -> Markup:
    return tag(
        "section",
        tag("h3", name),
        tag("p", prose(schema.get("description", ""))),
        tag("p", "ce_dataschema: ", tag("code", schema["$id"])) if "$id" in schema else "",
        show_fields(schema),
        id=name,
    )
