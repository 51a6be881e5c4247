"""The documents are OpenAPI 3.1, and say what the code does.

`openapi-3.1.json` is the specification's own schema, https://spec.openapis.org/oas/3.1/schema/2022-10-07,
Copyright OpenAPI Initiative, Apache License 2.0, as the package schemathesis carries it.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator

import api.describe
import schema
from schema.http.endpoints import Answer, Operation, Parameter
from schema.http.faults import FAULTS
from schema.http.openapi.codes import EVERYWHERE, Service, codes_of
from schema.http.openapi.document import build_document
from schema.http.openapi.serve import describe
from tests.documenting import DOCUMENTS, find_faults, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECIFICATION: Final = Draft202012Validator(
    json.loads(Path(__file__).with_name("openapi-3.1.json").read_text(encoding="utf-8"))
)
SERVICE: Final = Service(title="A service", description="It serves.", address="http://localhost")
OPERATIONS: Final = [
    pytest.param(service, path, method, id=f"{service} {method} {path}")
    for service, document in DOCUMENTS.items()
    for path, methods in document["paths"].items()
    for method in methods
]


def _operation(**changes: Any) -> Operation:
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/v1/things",
        "name": "list_things",
        "summary": "Things",
        "answers": {200: Answer(description="Things")},
    }
    return Operation(**values | changes)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _parts(each)


@pytest.mark.parametrize("service", DOCUMENTS)
def test_it_is_openapi(service: str) -> None:
    """As the specification's own schema has it; all that is referred to is there."""
    document = DOCUMENTS[service]

    assert [error.message for error in SPECIFICATION.iter_errors(document)] == []
    assert all(isinstance(resolve(document, part), dict) for part in _parts(document["paths"]))
    assert all(isinstance(resolve(document, part), dict) for part in _parts(document["components"]))
    for each in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(each)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("openapi", "3.0.3"),
        ("info/version", None),
        ("paths/~v1~me/get/parameters/0/in", "body"),
        ("paths/~v1~me/get/responses/200/description", 1),
        ("components/securitySchemes/bearer/type", "token"),
        ("components/headers/X-Request-ID/name", "x"),
    ],
)
def test_what_is_not_openapi_would_be_found(path: str, value: object) -> None:
    """The schema really looks at what we fill in."""
    broken = copy.deepcopy(DOCUMENTS["api"])
    *way, last = (part.replace("~", "/") for part in path.split("/"))
    place: Any = broken
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value

    assert not SPECIFICATION.is_valid(broken)


def test_it_is_the_same_every_time() -> None:
    """So that the committed file and the ETag change only with the code."""
    again = describe(api.describe.SERVICE, api.describe.ENDPOINTS)

    assert json.dumps(again) == json.dumps(DOCUMENTS["api"])


@pytest.mark.parametrize(("service", "path", "method"), OPERATIONS)
def test_every_operation_is_described_whole(service: str, path: str, method: str) -> None:
    """Words, parameters with examples that fit, answers with examples that fit, the request id."""
    document = DOCUMENTS[service]
    operation = document["paths"][path][method]
    responses = {s: resolve(document, each) for s, each in operation["responses"].items()}
    media = [m for each in responses.values() for m in each.get("content", {}).items()]
    media += operation.get("requestBody", {}).get("content", {}).items()
    problems = [
        problem
        for kind, each in media
        if kind == "application/json"
        for example in _examples(document, each)
        for problem in find_faults(example, each["schema"], document)
    ]
    for each in operation.get("parameters", ()):
        problems += find_faults(each["example"], each["schema"], document)

    assert problems == []
    assert all(each["description"] for each in responses.values())
    assert all("X-Request-ID" in each["headers"] for each in responses.values())
    assert all(each["description"] for each in operation.get("parameters", ()))
    assert all(f"{{{p['name']}}}" in path for p in _of_path(operation))
    assert path.count("{") == len(_of_path(operation))
    assert not operation["summary"].endswith(".")


def _of_path(operation: dict[str, Any]) -> list[Any]:
    return [each for each in operation.get("parameters", ()) if each["in"] == "path"]


def _examples(document: dict[str, Any], media: dict[str, Any]) -> list[Any]:
    found = [resolve(document, each)["value"] for each in media.get("examples", {}).values()]
    return [*found, media["example"]] if "example" in media else found


def test_names_of_operations_are_their_own() -> None:
    """Clients make functions of them."""
    for document in DOCUMENTS.values():
        names = [
            each["operationId"] for path in document["paths"].values() for each in path.values()
        ]

        assert len(names) == len(set(names))


def test_a_session_brings_its_errors() -> None:
    """Nobody has to declare what holds for every operation."""
    told = codes_of(_operation(), SERVICE)
    public = codes_of(_operation(signed_in=False), SERVICE)

    assert "UNAUTHENTICATED" in told[401]
    assert "KEYS_UNAVAILABLE" in told[503]
    assert 401 not in public
    assert {code for codes in public.values() for code in codes} == {
        *EVERYWHERE,
        "RATE_LIMITED",
        "CONNECTIONS_EXHAUSTED",
    }


def test_limits_bring_their_answer_and_headers() -> None:
    """What is not limited says nothing of limits."""
    limited, free = (
        build_document(SERVICE, [_operation(limited=limited)])["paths"]["/v1/things"]["get"]
        for limited in (True, False)
    )

    assert "429" in limited["responses"]
    assert "RateLimit" in limited["responses"]["200"]["headers"]
    assert "429" not in free["responses"]
    assert "RateLimit" not in free["responses"]["200"]["headers"]


def test_who_waited_for_nothing_is_told_that_their_preference_was_followed() -> None:
    """Where one can be given; operations that fail in the same ways stay apart by it."""
    prefer = Parameter(
        name="Prefer", place="header", description="How long", schema={}, example="wait=1"
    )
    operations = [
        _operation(errors=["USER_NOT_FOUND"]),
        _operation(path="/v1/more", parameters=[prefer], errors=["USER_NOT_FOUND"]),
    ]
    document = build_document(SERVICE, operations)

    plain, awaited = (
        resolve(document, document["paths"][each.path]["get"]["responses"]["404"])["headers"]
        for each in operations
    )
    assert awaited.keys() - plain.keys() == {"Preference-Applied"}


def test_who_lacks_a_scope_is_told_which() -> None:
    """RFC 6750 §3.1: in the same header as who is not signed in."""
    operations = [
        _operation(errors=["INSUFFICIENT_SCOPE"]),
        _operation(path="/v1/more", errors=["FORBIDDEN"]),
    ]
    document = build_document(SERVICE, operations)

    scope, other = (
        resolve(document, document["paths"][each.path]["get"]["responses"]["403"])["headers"]
        for each in operations
    )
    assert scope.keys() - other.keys() == {"WWW-Authenticate"}


def test_an_unknown_code_is_refused() -> None:
    """A code without a meaning never reaches the document."""
    with pytest.raises(LookupError, match="NO_SUCH_CODE"):
        build_document(SERVICE, [_operation(errors=("NO_SUCH_CODE",))])


def test_a_status_has_one_kind_of_body() -> None:
    """A good answer and an error under the same status would hide each other."""
    answers = {404: Answer(description="It is not there")}

    with pytest.raises(ValueError, match="list_things answers 404 with two kinds of bodies"):
        build_document(SERVICE, [_operation(answers=answers, errors=("USER_NOT_FOUND",))])


def test_every_code_has_an_operation() -> None:
    """What nothing can answer with is not in the registry."""
    named = {code for each in DOCUMENTS.values() for code in each["components"]["examples"]}

    assert named == FAULTS.keys()


def test_every_code_is_raised_somewhere() -> None:
    """The registry names no code that the services do not; a code that it lacks is a KeyError."""
    root = Path(schema.__file__).parents[1]
    sources = "\n".join(
        file.read_text(encoding="utf-8")
        for package in ("api", "ingest", "schema")
        for file in sorted((root / package).rglob("*.py"))
        if not file.is_relative_to(root / "schema/http/openapi")
        and not file.is_relative_to(root / "schema/http/faults")
    )

    assert [code for code in FAULTS if f'"{code}"' not in sources] == []
