"""Endpoints: what a service answers, declared once: for the router, the limits and the document."""

from __future__ import annotations

from collections.abc import Mapping  # read at run time by web.AppKey
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp.typedefs import Handler
    from pydantic import BaseModel


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Something a caller can say beside the body."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any]
    """JSON Schema of its value."""
    example: object
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A good answer, or one without a body such as 304."""

    description: str
    model: type[BaseModel] | None = None
    """What the JSON is; None for no body, or another type."""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Name -> what it says; an empty text where that is what it says everywhere."""
    example: object = None
    texts: Mapping[str, str] = field(default_factory=dict)
    """Other media type, for who asks for it -> an example of it."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method on a path, and how it is answered."""

    method: str
    path: str
    """With `{id}` for a part that is anything without a slash."""
    name: str
    """Its operationId; what limits and caches call it."""
    summary: str
    """In a line."""
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: type[BaseModel] | None = None
    body_example: object = None
    answers: Mapping[int, Answer]
    """Status -> the answer when all is well."""
    errors: Sequence[str] = ()
    """Codes of FAULTS that it can answer with, beside those that every endpoint can."""
    signed_in: bool = True
    """Whether a session token is needed."""
    limited: bool = True
    """Whether the limits of requests hold for it, and its answers say what is left."""


@dataclass(frozen=True, kw_only=True)
class Endpoint(Operation):
    """An operation, and who answers it."""

    handler: Handler


ENDPOINTS: Final = web.AppKey("endpoints", Mapping[web.AbstractRoute, Endpoint])
"""Where middlewares find the endpoint of a route."""


def add_endpoints(app: web.Application, endpoints: Iterable[Endpoint]) -> None:
    """Let `app` answer at `endpoints`; to be called once."""
    routes: dict[web.AbstractRoute, Endpoint] = {}
    for each in endpoints:
        resource = app.router.add_resource(each.path.replace("}", ":[^/]+}"))
        # RFC 9110 §9.3.2: what can be got can be asked about.
        for method in ("GET", "HEAD") if each.method == "GET" else (each.method,):
            routes[resource.add_route(method, each.handler)] = each
    app[ENDPOINTS] = routes


def endpoint_of(request: web.Request) -> Endpoint | None:
    """Return the endpoint that `request` goes to; None for probes and what is not there."""
    return request.app.get(ENDPOINTS, {}).get(request.match_info.route)
