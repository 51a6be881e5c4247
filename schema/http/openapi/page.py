"""Show an OpenAPI document as one page of HTML. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schema.http.openapi.answers import link_code, show_answers, show_example
from schema.http.openapi.codes import EVERYWHERE
from schema.http.openapi.curl import write_curl
from schema.http.pages.frame import build_frame
from schema.http.pages.markup import Markup, join, link, prose, table, tag
from schema.http.pages.shapes import show_fields, show_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schema.http.pages.markup import Node

    Document = Mapping[str, Any]

_LOGIN: Final = " TOKEN=$(clerkwork token --user user_2abcDEF)"
_ANYWHERE: Final = "Any operation can also answer with "


def build_page(document: Document, *, address: str) -> str:
    """Return the page `/docs`; each operation is an anchor, by its operationId, each schema too."""
    info = document["info"]
    schemas = document["components"]["schemas"]
    return build_frame(
        info["title"],
        tag("a", "To the operations", href="#operations", class_="skip"),
        tag(
            "header",
            tag("h1", info["title"]),
            tag(
                "p",
                *(f"Version {info['version']} · ", link("/v1/openapi.json", "OpenAPI document")),
                *(" · ", link("/docs/errors", "Errors")),
            ),
            [tag("p", prose(each)) for each in info["description"].split("\n\n")],
            tag("p", "For the commands below, where the process is on this machine:"),
            tag(
                "pre",
                f"export URL={address}",
                _LOGIN if document["components"]["securitySchemes"] else "",
                tabindex="0",
            ),
            tag("p", _ANYWHERE, _listed(EVERYWHERE), "."),
        ),
        tag("nav", [_list(each["name"], document) for each in document["tags"]]),
        tag(
            "main",
            [_show_tag(each["name"], document) for each in document["tags"]],
            id="operations",
        ),
        tag("h2", "What is sent"),
        [_show_schema(name, schema) for name, schema in schemas.items()],
    )


def _tagged(name: str, document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield method, path and operation of what has this tag."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if name in operation["tags"]:
                yield method, path, operation


def _list(name: str, document: Document) -> Markup:
    lines = [
        tag(
            "li", tag("a", _title(method, path), " ", operation["summary"], href=_anchor(operation))
        )
        for method, path, operation in _tagged(name, document)
    ]
    return tag("section", tag("h2", name), tag("ul", lines))


def _anchor(operation: Mapping[str, Any]) -> str:
    return f"#{operation['operationId']}"


def _title(method: str, path: str) -> Markup:
    verb = tag("span", method.upper(), class_=f"method {method}")
    return join(verb, " ", tag("code", path))


def _show_tag(name: str, document: Document) -> Markup:
    return tag(
        "section",
        tag("h2", name),
        [_show_operation(*each, document) for each in _tagged(name, document)],
    )


def _show_operation(
    method: str, path: str, operation: Mapping[str, Any], document: Document
) -> Markup:
    needs = "A session token is needed." if operation["security"] else "No session token is needed."
    about = operation.get("description", "")
    return tag(
        "article",
        tag("h3", tag("a", _title(method, path), href=_anchor(operation))),
        tag("p", operation["summary"], ". ", needs),
        [tag("p", prose(each)) for each in about.split("\n\n") if each],
        _show_parameters(operation.get("parameters", ())),
        _show_body(operation.get("requestBody", {}).get("content", {})),
        tag("pre", write_curl(method, path, operation), tabindex="0"),
        show_answers(operation, document),
        id=operation["operationId"],
    )


def _show_parameters(parameters: Any) -> Markup:
    rows: list[tuple[Node, ...]] = [
        (
            tag("code", each["name"]),
            f"{each['in']}, needed" if each["required"] else each["in"],
            show_type(each["schema"]),
            join(prose(each["description"]), ", such as ", tag("code", str(each["example"]))),
        )
        for each in parameters
    ]
    return table(("parameter", "where", "type", "meaning"), rows) if rows else join()


def _show_body(content: Mapping[str, Any]) -> Markup:
    return join(
        [
            (tag("p", "Body: ", show_type(media["schema"]), f", {kind}"), show_example(media, kind))
            for kind, media in content.items()
        ]
    )


def _show_schema(name: str, schema: Mapping[str, Any]) -> Markup:
    # A schema without fields of its own is something else under a name.
    fields = show_fields(schema) if "properties" in schema else tag("p", show_type(schema))
    return tag(
        "article",
        tag("h3", tag("a", name, href=f"#{name}")),
        tag("p", prose(schema.get("description", ""))),
        fields,
        id=name,
    )


def _listed(codes: Any) -> Markup:
    first, *rest = map(link_code, codes)
    return join(first, [(", ", each) for each in rest])
