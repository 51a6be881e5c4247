"""What callers are given of the routes: kept as files, and never broken."""

from __future__ import annotations

import copy
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from deploy.contracts import openapi
from deploy.contracts.openapi import (
    DIRECTORY,
    build_documents,
    find_stale_documents,
    publish_documents,
)
from deploy.contracts.routes import find_route_breaks
from deploy.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANSWER = {"schema": {"$ref": "#/components/schemas/Thing"}}
PUBLISHED: dict[str, Any] = {
    "paths": {
        "/things/{id}": {
            "patch": {
                "security": [],
                "parameters": [
                    {"in": "path", "name": "id", "required": True},
                    {"in": "query", "name": "wait", "required": False},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"properties": {"title": {}, "note": {}}, "required": []}
                        }
                    }
                },
                "responses": {
                    "200": {"content": {"application/json": ANSWER, "text/event-stream": ANSWER}},
                    "304": {},
                    "404": {},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "required": ["id", "parts"],
                "properties": {
                    "id": {"type": "string"},
                    "parts": {"items": {"anyOf": [{"$ref": "#/components/schemas/Part"}]}},
                },
            },
            "Part": {
                "required": ["name"],
                "properties": {"name": {}, "inner": {"$ref": "#/components/schemas/Part"}},
            },
        }
    },
}
NAME = "PATCH /things/{id}"


def _operation(document: dict[str, Any]) -> Any:
    return document["paths"]["/things/{id}"]["patch"]


def _fields(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]


def _body(document: dict[str, Any]) -> Any:
    return _operation(document)["requestBody"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["paths"].clear(), "is removed"),
        (lambda d: _operation(d).update(security=[{"bearer": []}]), "wants a token now"),
        (lambda d: _operation(d)["parameters"].pop(), "does not know query wait any more"),
        (
            lambda d: _operation(d)["parameters"][1].update(required=True),
            "wants query wait, which could be left out",
        ),
        (
            lambda d: _operation(d)["parameters"].append(
                {"in": "header", "name": "X-Key", "required": True}
            ),
            "wants header X-Key, which is new",
        ),
        (
            lambda d: _operation(d)["requestBody"]["content"].clear(),
            "does not take application/json any more",
        ),
        (lambda d: _body(d)["properties"].pop("note"), "does not take note any more"),
        (lambda d: _body(d)["required"].append("note"), "wants note in the body now"),
        (lambda d: _operation(d)["responses"].pop("304"), "does not answer 304 any more"),
        (
            lambda d: _operation(d)["responses"]["200"]["content"].pop("text/event-stream"),
            "does not answer 200 as text/event-stream any more",
        ),
        (
            lambda d: _fields(d)["Part"]["properties"].pop("name"),
            "does not answer parts[].name with 200 any more",
        ),
        (lambda d: _fields(d)["Thing"]["required"].remove("id"), "may leave id out of 200"),
    ],
)
def test_what_breaks_callers_is_found(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    """Each with the route, in words."""
    current = copy.deepcopy(PUBLISHED)
    change(current)

    assert f"{NAME}: {reason}" in {str(each) for each in find_route_breaks(PUBLISHED, current)}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/more": copy.deepcopy(d["paths"]["/things/{id}"])}),
        lambda d: _operation(d)["parameters"].append(
            {"in": "query", "name": "limit", "required": False}
        ),
        lambda d: _body(d)["properties"].update(more={}),
        lambda d: _operation(d)["responses"].update({"429": {}, "202": {}}),
        lambda d: _operation(d)["responses"].pop("404"),
        lambda d: _fields(d)["Thing"]["properties"].update(more={}),
        lambda d: _operation(d).update(summary="Other words"),
    ],
)
def test_what_may_be_added_breaks_nobody(change: Callable[[dict[str, Any]], object]) -> None:
    """Routes, parameters that may be missing, fields, answers, words."""
    current = copy.deepcopy(PUBLISHED)
    change(current)

    assert list(find_route_breaks(PUBLISHED, current)) == []


def test_the_files_are_what_the_code_makes() -> None:
    """`clerkwork contracts generate` writes them; no caller breaks."""
    assert [str(each) for each in find_stale_documents()] == []
    assert {file.name for file in DIRECTORY.glob("*.json")} == build_documents().keys()


def test_a_file_that_is_missing_or_changed_is_told(tmp_path: Path) -> None:
    """And written again as it was."""
    assert {each.problem for each in find_stale_documents(tmp_path)} == {
        "is missing; `clerkwork contracts generate` writes it"
    }
    publish_documents(Console(file=io.StringIO()), directory=tmp_path)
    file = tmp_path / "api.json"
    assert list(find_stale_documents(tmp_path)) == []

    file.write_text(file.read_text(encoding="utf-8").replace("clerkwork API", "other"))

    assert [str(each) for each in find_stale_documents(tmp_path)] == [
        "api.json: is not as `clerkwork contracts generate` wrote it"
    ]


def test_a_break_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What callers were given stays there, and the operator is told which route it is."""
    console = Console(file=io.StringIO())
    publish_documents(console, directory=tmp_path)
    before = (tmp_path / "api.json").read_text(encoding="utf-8")
    broken = json.loads(before)
    del broken["paths"]["/v1/me"]
    monkeypatch.setattr(openapi, "build_documents", lambda: {"api.json": broken})

    with pytest.raises(OperatorError, match="GET /v1/me: is removed"):
        publish_documents(console, directory=tmp_path)

    assert (tmp_path / "api.json").read_text(encoding="utf-8") == before
