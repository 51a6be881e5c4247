"""The page of the HTTP API, from the declarations that router, limits and OpenAPI are made of."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api import describe as api
from deploy.reference.markdown import codes, page, table
from ingest import describe as ingest
from schema.http.openapi.codes import EVERYWHERE, codes_of
from schema.http.openapi.probes import PROBES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schema.http.endpoints import Operation
    from schema.http.openapi.codes import Service

_INTRODUCTION: Final = f"""\
# HTTP API

Two services, each of which describes itself: `/docs` for people, `/v1/openapi.json` for programs,
with every field and an example of each answer. Here is what there is. How to use it:
[read and write](../how-to/read-and-write.md). What each error code means: [errors](../errors.md).

Besides the codes that are named, any request can be answered with
{codes(EVERYWHERE)};
where limits hold, with `RATE_LIMITED`; while too many connections are open, with
`CONNECTIONS_EXHAUSTED`. A route for who is signed in takes Clerk's session token, as bearer or as
the cookie `__session`."""

_COMMON: Final = {*EVERYWHERE, "RATE_LIMITED", "CONNECTIONS_EXHAUSTED"}


def write_http_api() -> str:
    """Return every route of ingest and of the API: who may, what it takes, what it answers."""
    services = (
        _write("Ingest", ingest.SERVICE, ingest.ENDPOINTS),
        _write("The API", api.SERVICE, api.ENDPOINTS),
    )
    return page(_INTRODUCTION, *services, _probes())


def _write(title: str, service: Service, operations: Sequence[Operation]) -> str:
    rows = [
        [f"[`{each.method} {each.path}`](#{each.name.replace('_', '-')})", each.summary, _who(each)]
        for each in operations
    ]
    return page(
        f"## {title}",
        f"At `{service.address}` unless told otherwise. {service.description}",
        table(["request", "what it does", "for"], rows),
        *(_show(each, service) for each in operations),
    ).strip()


def _who(operation: Operation) -> str:
    if "INVALID_SIGNATURE" in operation.errors:
        return "Clerk, by its signature"
    return "who is signed in" if operation.signed_in else "anybody"


def _show(operation: Operation, service: Service) -> str:
    title = operation.name.replace("_", " ")
    parts = [
        f"### {title}",
        f"`{operation.method} {operation.path}`: {operation.summary[0].lower()}"
        f"{operation.summary[1:]}. {operation.description}".strip(),
    ]
    if operation.parameters:
        rows = (
            [f"`{each.name}`", each.place, each.description, f"`{each.example}`"]
            for each in operation.parameters
        )
        parts.append(table(["parameter", "in", "meaning", "such as"], rows))
    if operation.body:
        parts.append(f"Its body is a `{operation.body.__name__}`, as JSON.")
    answers = [*_answers(operation), *_failures(operation, service)]
    parts.append(table(["answer", "means"], answers))
    return "\n\n".join(parts)


def _answers(operation: Operation) -> Iterator[tuple[str, str]]:
    for status, answer in operation.answers.items():
        yield f"{status} {HTTPStatus(status).phrase}", answer.description


def _failures(operation: Operation, service: Service) -> Iterator[tuple[str, str]]:
    """Yield the errors that are this operation's own."""
    for status, found in codes_of(operation, service).items():
        if own := [code for code in found if code not in _COMMON]:
            phrase = HTTPStatus(status).phrase
            anchor = f"{status} {phrase}".lower().replace(" ", "-")
            yield f"[{status} {phrase}](../errors.md#{anchor})", codes(own)


def _probes() -> str:
    rows = ([f"`{each.method} {each.path}`", each.summary] for each in PROBES)
    return f"## Every process\n\n{table(['request', 'what it tells'], rows)}"
