"""Serve the description of a service beside what it describes: `/v1/openapi.json`, `/docs`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from schema.http.endpoints import Answer, Endpoint, Operation, Parameter
from schema.http.openapi.document import build_document, write_document
from schema.http.openapi.page import build_page
from schema.http.openapi.probes import PROBES
from schema.http.openapi.reference import build_reference
from schema.http.pages.frame import PAGE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.typedefs import Handler

    from schema.http.openapi.codes import Service

_ETAG_ANY: Final = "*"


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


_UNCHANGED: Final = Answer(description="The one that `If-None-Match` names", headers={"ETag": ""})
_IF_NONE_MATCH: Final = Parameter(
    name="If-None-Match",
    place="header",
    description="an `ETag`; while it holds the answer is 304",
    schema={"type": "string"},
    example='"5d41402abc4b2a76b9719d911017c592"',
)


def _page(path: str, *, name: str, summary: str) -> Operation:
    page = Answer(description="A page", content_type="text/html", headers={"ETag": ""})
    return Operation(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        parameters=(_IF_NONE_MATCH,),
        answers={200: page, 304: _UNCHANGED},
        signed_in=False,
    )


_DOCUMENTS: Final = (
    Operation(
        method="GET",
        path="/v1/openapi.json",
        name="show_document",
        summary="This document",
        parameters=(_IF_NONE_MATCH,),
        answers={
            200: Answer(description="OpenAPI 3.1", model=Document, headers={"ETag": ""}),
            304: _UNCHANGED,
        },
        signed_in=False,
    ),
    _page("/docs", name="show_docs", summary="This document, for people"),
    _page("/docs/errors", name="show_errors", summary="Every error code: cause and recovery"),
)


def describe(service: Service, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document of all that a service answers, the probes and itself included."""
    return build_document(service, [*endpoints, *_DOCUMENTS, *PROBES])


def with_documents(service: Service, endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """Return the endpoints and those that describe them; what these answer is made now."""
    document = describe(service, endpoints)
    texts = (
        write_document(document),
        build_page(document, address=service.address),
        build_reference(),
    )
    served = (
        Endpoint(handler=_answer_with(text, operation), **vars(operation))
        for text, operation in zip(texts, _DOCUMENTS, strict=True)
    )
    return (*endpoints, *served)


def _answer_with(text: str, operation: Operation) -> Handler:
    """Return what answers with `text`, or that it has not changed (RFC 9110 §13.1.2)."""
    body = text.encode()
    etag = hashlib.sha256(body).hexdigest()[:32]
    content_type = operation.answers[200].content_type

    async def answer(request: web.Request) -> web.Response:
        known = [each.value for each in request.if_none_match or ()]
        if etag in known or _ETAG_ANY in known:
            response = web.Response(status=304, headers=PAGE_HEADERS)
        else:
            response = web.Response(
                body=body, content_type=content_type, charset="utf-8", headers=PAGE_HEADERS
            )
        response.etag = etag
        return response

    return answer
