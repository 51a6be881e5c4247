"""Describe one operation: what it takes, and every answer it gives. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from schema.http.openapi.codes import codes_of
from schema.http.openapi.headers import headers_of, waits_in_vain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from schema.http.endpoints import Answer, Operation, Parameter
    from schema.http.openapi.codes import Service

_JSON: Final = "application/json"
_NOT_OF_NAMES: Final = re.compile(r"[^a-zA-Z0-9.\-_]")


def describe_operation(operation: Operation, service: Service) -> dict[str, Any]:
    """Return the operation object. Raises LookupError for an unknown error code."""
    responses = {str(s): _describe_answer(operation, s, a) for s, a in operation.answers.items()}
    for name, _ in failures_of(operation, service):
        status = name.partition(".")[0]
        if status in responses:
            raise ValueError(f"{operation.name} answers {status} with two kinds of bodies")
        responses[status] = {"$ref": f"#/components/responses/{name}"}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [tag_of(operation)],
        "summary": operation.summary,
        "responses": dict(sorted(responses.items())),
        "security": [{"bearer": []}, {"session": []}] if operation.signed_in else [],
    }
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [_describe_parameter(each) for each in operation.parameters]
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": {_JSON: _media(_reference(operation.body), operation.body_example)},
        }
    return described


def failures_of(operation: Operation, service: Service) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the answers that are errors, each under the name of the status and the codes.

    Operations that fail in the same ways share them. Raises LookupError for an unknown code.
    """
    for status, codes in codes_of(operation, service).items():
        kinds = {
            "unlimited": not operation.limited,
            "awaited": waits_in_vain(operation, status),
        }
        name = ".".join([str(status), *codes, *(kind for kind, holds in kinds.items() if holds)])
        yield name, _describe_failure(operation, status, codes)


def tag_of(operation: Operation) -> str:
    """Return what an operation is about: the first word of its path, after the version."""
    first, *rest = operation.path.strip("/").split("/")
    word = rest[0] if first == "v1" else first
    return _SAME.get(word, word)


_SAME: Final[Mapping[str, str]] = {
    "me": "users",
    "canary": "operation",
    "livez": "operation",
    "readyz": "operation",
    "metrics": "operation",
    "openapi.json": "documents",
    "docs": "documents",
}
"""Word of a path -> the tag that it is part of."""


def _describe_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }


def _describe_answer(operation: Operation, status: int, answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": headers_of(operation, status, answer.headers),
    }
    content: dict[str, Any] = {}
    if answer.model:
        content[answer.content_type] = _media(_reference(answer.model), answer.example)
    elif answer.content_type != _JSON:
        content[answer.content_type] = _media({"type": "string"}, answer.example)
    for media_type, example in answer.texts.items():
        content[media_type] = _media({"type": "string"}, example)
    return described | ({"content": content} if content else {})


def _describe_failure(operation: Operation, status: int, codes: Sequence[str]) -> dict[str, Any]:
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/ErrorEnvelope"},
            {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}},
        ]
    }
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers_of(operation, status, codes=codes),
        "content": {_JSON: {"schema": schema, "examples": examples}},
    }


def _media(schema: Mapping[str, Any], example: object) -> dict[str, Any]:
    return {"schema": schema} | ({} if example is None else {"example": example})


def _reference(model: type[BaseModel]) -> dict[str, str]:
    # The name that pydantic gives it: that of a generic has brackets.
    return {"$ref": f"#/components/schemas/{_NOT_OF_NAMES.sub('_', model.__name__)}"}
