"""Build the OpenAPI 3.1 document of a service from its operations. Pure.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from openapi_pydantic import OpenAPI
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from schema import VERSION
from schema.http.faults import FAULTS
from schema.http.openapi.codes import codes_of
from schema.http.openapi.envelope import ErrorEnvelope
from schema.http.openapi.headers import header_parts
from schema.http.openapi.operations import describe_operation, failures_of, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from schema.http.endpoints import Operation
    from schema.http.openapi.codes import Service

_SECURITY: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Clerk's session token, as `getToken()` gives it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__session",
        "description": "The same token, as Clerk's cookie brings it.",
    },
}


class _Untitled(GenerateJsonSchema):
    """A title that only repeats the field's name tells nothing."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  # of none
        return False


def build_document(service: Service, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the document, the same every time.

    Raises LookupError for an unknown error code, ValidationError for what OpenAPI does not know.
    """
    operations = list(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = describe_operation(each, service)
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": service.title,
            "version": VERSION,
            "description": service.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document is from"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(tag_of, operations))],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "responses": dict(
                sorted(each for operation in operations for each in failures_of(operation, service))
            ),
            "headers": header_parts(),
            "examples": _examples(operations, service),
            "securitySchemes": _SECURITY if any(each.signed_in for each in operations) else {},
        },
    }
    OpenAPI.model_validate(document)
    return document


def write_document(document: Mapping[str, Any]) -> str:
    """Return the document as it is served and kept."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the schema of every model, as it is sent; one place for each name."""
    models: set[type[BaseModel]] = {ErrorEnvelope}
    for each in operations:
        models |= {answer.model for answer in each.answers.values() if answer.model}
        models |= {each.body} if each.body else set()
    ordered = sorted(models, key=lambda model: model.__name__)
    _, whole = models_json_schema(
        [(model, "validation") for model in ordered],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    return {name: _without_title(each) for name, each in sorted(whole["$defs"].items())}


def _without_title(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _examples(operations: Iterable[Operation], service: Service) -> dict[str, Any]:
    """Return an envelope for every code that occurs; its message is the fault's meaning."""
    occur = {
        code for each in operations for codes in codes_of(each, service).values() for code in codes
    }
    return {
        code: {
            "summary": fault.meaning,
            "value": {
                "error": {
                    "code": code,
                    "message": fault.meaning,
                    "requestId": "8f14e45fceea167a5a36dedd4bea2543",
                    "timestamp": "2026-01-31T12:00:00.000Z",
                }
            },
        }
        for code, fault in FAULTS.items()
        if code in occur
    }
