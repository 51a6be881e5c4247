"""What ingest declares of its routes: whatever documents and counts rely on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from ingest.commands import data, posts
from ingest.describe import ENDPOINTS
from schema.http.faults import FAULTS
from schema.ops.metrics import ANSWERS, COMMAND_ANSWERS

if TYPE_CHECKING:
    from schema.http.endpoints import Endpoint

COMMANDS = (*posts.ENDPOINTS, *data.ENDPOINTS)
EACH = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)


def test_the_routes_are_those_of_the_design() -> None:
    """Each once."""
    assert [(each.method, each.path) for each in ENDPOINTS] == [
        ("POST", "/webhooks/clerk"),
        ("POST", "/v1/posts"),
        ("PATCH", "/v1/posts/{id}"),
        ("DELETE", "/v1/posts/{id}"),
        ("PUT", "/v1/me/data/{key}"),
        ("DELETE", "/v1/me/data/{key}"),
    ]
    assert len({each.name for each in ENDPOINTS}) == len(ENDPOINTS)


@EACH
def test_every_failure_is_registered(endpoint: Endpoint) -> None:
    """And named once."""
    assert set(endpoint.errors) <= FAULTS.keys()
    assert len(set(endpoint.errors)) == len(endpoint.errors)


@EACH
def test_every_failure_has_a_series(endpoint: Endpoint) -> None:
    """The first scrape shows it at 0."""
    counted = COMMAND_ANSWERS if endpoint.signed_in else ANSWERS
    common = {"unauthenticated", "keys_unavailable"} if endpoint.signed_in else set[str]()

    assert {code.lower() for code in endpoint.errors} | common <= {*counted}


@EACH
def test_every_part_of_the_path_is_described(endpoint: Endpoint) -> None:
    """By name, and required."""
    described = {each.name for each in endpoint.parameters if each.place == "path"}

    assert described == {part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")}


@EACH
def test_examples_are_what_they_are_examples_of(endpoint: Endpoint) -> None:
    """A reader may copy them."""
    for answer in endpoint.answers.values():
        assert answer.model
        assert TypeAdapter(answer.model).validate_python(answer.example)


def test_every_command_can_be_repeated() -> None:
    """They all take a key."""
    for endpoint in COMMANDS:
        assert "Idempotency-Key" in {each.name for each in endpoint.parameters}
        assert endpoint.signed_in
