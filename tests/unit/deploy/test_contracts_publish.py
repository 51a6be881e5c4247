"""What other services are given of the topics: kept as files, and never broken.

`published/` holds each contract of a record as it was when it was first given away. It is not
written anew: whoever has to touch it to let a change through breaks somebody.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from rich.console import Console

from deploy.contracts import publish as publishing
from deploy.contracts.evolve import find_breaks
from deploy.contracts.publish import DIRECTORY, find_stale, publish
from deploy.errors import OperatorError
from schema.kafka.changes import UserState
from schema.kafka.topics import POST_CHANGES, USER_CHANGES
from workers.describe.records import CONTRACTS, Contract, record_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Drifts = Callable[[], set[str]]

PUBLISHED: Final = Path(__file__).parent / "published"
NAMES: Final = [contract.name for contract in CONTRACTS]


def _read(file: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _fields(schema: dict[str, Any]) -> list[str]:
    return sorted(schema["properties"])


class Thing(BaseModel):
    """A record as it might be."""

    schema_version: Literal[1]
    name: str


class More(Thing):
    """The same, with a field that may be missing."""

    note: str = ""


class Less(BaseModel):
    """The same, without its name."""

    schema_version: Literal[1]


class Endless(Thing):
    """One that holds itself."""

    inner: Endless | None


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which a `Thing` is published."""
    _promise(monkeypatch, Thing)
    publish(Console(file=io.StringIO()), directory=tmp_path)
    return tmp_path


def _promise(monkeypatch: pytest.MonkeyPatch, model: type[BaseModel]) -> None:
    monkeypatch.setattr(publishing, "CONTRACTS", (Contract(POST_CHANGES, model, key="name"),))


@pytest.mark.parametrize("name", NAMES)
def test_what_was_published_holds(name: str) -> None:
    """Whoever has the first copy of a contract reads what is written today, and the other way."""
    first = _read(PUBLISHED / f"{name}.json")
    current = next(record_schema(each) for each in CONTRACTS if each.name == name)

    assert [str(each) for each in find_breaks(first, current)] == []


def test_no_version_is_forgotten() -> None:
    """Records of every version that was published may still lie in a compacted topic."""
    assert sorted(file.stem for file in PUBLISHED.glob("*.json")) == sorted(NAMES)


def test_the_committed_files_are_what_the_code_makes() -> None:
    """`clerkwork contracts generate` writes them."""
    assert [str(each) for each in find_stale()] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_stands_alone(name: str) -> None:
    """It is JSON Schema, named as the records name it, open, and holds no references."""
    text = (DIRECTORY / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    topic, _, version = name.rpartition(".")

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:clerkwork:{topic}:{version}"
    assert "$ref" not in text
    assert "additionalProperties" not in schema


def test_a_contract_has_the_fields_of_its_model() -> None:
    """Every one of them always there."""
    schema = _read(DIRECTORY / "schemas/user.changes.1.json")

    assert _fields(schema) == sorted(UserState.model_fields) == sorted(schema["required"])
    assert all(each["description"] for each in schema["properties"].values())


def test_a_model_that_breaks_readers_is_named_and_not_published(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By version, field and reason; the file stays as it was."""
    file = directory / "schemas/post.changes.1.json"
    before = file.read_bytes()
    _promise(monkeypatch, Less)

    with pytest.raises(OperatorError, match=r"post\.changes\.1\.name: is removed"):
        publish(Console(), directory=directory)

    assert file.read_bytes() == before
    assert "post.changes.1.name: is removed" in {str(each) for each in find_stale(directory)}


def test_an_addition_is_published(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then it is part of the promise."""
    _promise(monkeypatch, More)
    stale = [str(each) for each in find_stale(directory)]
    publish(Console(file=io.StringIO()), directory=directory)
    published = _read(directory / "schemas/post.changes.1.json")
    _promise(monkeypatch, Thing)

    assert stale == [
        "schemas/post.changes.1.json: is not as `clerkwork contracts generate` wrote it"
    ]
    assert _fields(published) == ["name", "note", "schema_version"]
    assert "post.changes.1.note: is removed" in {str(each) for each in find_stale(directory)}


def test_files_that_are_missing_edited_or_left_over_are_named(directory: Path) -> None:
    """The description of the topics among them."""
    (directory / "asyncapi.json").write_text("{}")
    (directory / "schemas/post.changes.1.json").rename(directory / "schemas/post.changes.0.json")

    assert {str(each) for each in find_stale(directory)} == {
        "asyncapi.json: is not as `clerkwork contracts generate` wrote it",
        "schemas/post.changes.1.json: is missing; `clerkwork contracts generate` writes it",
        "schemas/post.changes.0.json: is published; the code has no such version",
    }


def test_a_record_that_holds_itself_is_refused() -> None:
    """It could not be embedded in the description of the topics."""
    with pytest.raises(ValueError, match="Endless holds itself"):
        record_schema(Contract(USER_CHANGES, Endless, key="name"))
