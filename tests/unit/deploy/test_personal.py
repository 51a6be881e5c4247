"""The map of personal data knows every column, header and topic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.environment import ROOT
from deploy.personal.tables import TABLES
from deploy.personal.topics import HEADERS, topic_rows
from deploy.personal.write import PAGE, with_map
from schema.kafka.topics import TOPICS
from schema.postgres.tables import METADATA


def test_the_page_is_made_from_the_map() -> None:
    """Nothing in its tables is written by hand."""
    page = PAGE.read_text(encoding="utf-8")

    assert with_map(page) == page


def test_every_table_is_there() -> None:
    """Whoever adds one says what it holds of people."""
    assert TABLES.keys() == METADATA.tables.keys()


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_classified_once(table: str) -> None:
    """As personal, as an identifier, or as neither."""
    columns = [column.name for column in METADATA.tables[table].columns]

    assert sorted(TABLES[table].columns) == sorted(columns)


def test_every_header_is_classified() -> None:
    """Those that the AsyncAPI document promises."""
    document: dict[str, Any] = json.loads((ROOT / "schema/kafka/asyncapi.json").read_bytes())
    promised = {
        header
        for name, schema in document["components"]["schemas"].items()
        if name.startswith("headers.")
        for header in _properties(schema)
    }

    assert promised == HEADERS.keys()


def _properties(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_properties, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {}))
    return own.union(*(_properties(schema.get(name)) for name in ("allOf", "anyOf", "oneOf")))


def test_every_topic_is_there() -> None:
    """Each in one row."""
    told = ", ".join(names for names, *_ in topic_rows()).split(", ")

    assert sorted(told) == sorted(f"`{topic.name}`" for topic in TOPICS)
