"""Hold what a service answers against the document that describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

import api.describe
import ingest.describe
from schema.http.endpoints import endpoint_of
from schema.http.openapi.serve import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiohttp import web

DOCUMENTS: Final[Mapping[str, dict[str, Any]]] = {
    "api": describe(api.describe.SERVICE, api.describe.ENDPOINTS),
    "ingest": describe(ingest.describe.SERVICE, ingest.describe.ENDPOINTS),
}
TELLING: Final = (
    *("ETag", "Vary", "Retry-After", "Location", "WWW-Authenticate", "Preference-Applied"),
    *("RateLimit", "RateLimit-Policy", "Idempotency-Replayed"),
)
"""Headers that an answer has only where the document says so."""


def resolve(document: Mapping[str, Any], value: Any) -> Any:
    """Return what is meant where it is only referred to."""
    while isinstance(value, dict) and "$ref" in value:
        reference = value["$ref"]
        value = document
        for part in reference.removeprefix("#/").split("/"):
            value = value[part]
    return value


def find_faults(value: object, schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a value, by a schema of the document."""
    validator = Draft202012Validator(
        {**schema, "components": document["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def watch(app: web.Application, service: str) -> list[str]:
    """Return a list that fills with every answer of `app` that the document does not foresee."""
    found: list[str] = []
    document = DOCUMENTS[service]

    async def look(request: web.Request, response: web.StreamResponse) -> None:
        endpoint = endpoint_of(request)
        if endpoint is not None:
            name = f"{request.method} {endpoint.path} {response.status}"
            operation = document["paths"][endpoint.path][endpoint.method.lower()]
            found.extend(
                f"{name}: {each}" for each in _look(operation, response, document=document)
            )

    app.on_response_prepare.append(look)
    return found


def _look(
    operation: Mapping[str, Any], response: web.StreamResponse, *, document: Mapping[str, Any]
) -> Iterator[str]:
    described = resolve(document, operation["responses"].get(str(response.status)))
    if described is None:
        yield f"is not documented: {getattr(response, 'body', '')!r}"
        return
    for name in TELLING:
        if name in response.headers and name not in described["headers"]:
            yield f"has a header {name} that is not documented"
    body = getattr(response, "body", None)
    content = described.get("content", {})
    if not isinstance(body, bytes) or not body:
        return
    if response.content_type not in content:
        yield f"is {response.content_type}, which is not documented"
    elif response.content_type == "application/json":
        schema = content["application/json"]["schema"]
        yield from find_faults(json.loads(body), schema, document)
