"""Find what in an OpenAPI document has changed so that a caller breaks. Pure.

Callers know the published document. What they send must be taken as before, and what they get
must have all that they read: routes, answers, fields and codes may be added, and with them
parameters that may be missing. Words may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.contracts.evolve import Break

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Document = Mapping[str, Any]

_GOOD: Final = "23"
"""The first digits of answers that callers rely on; in which ways they fail may change."""


def find_route_breaks(published: Document, current: Document) -> Iterator[Break]:
    """Yield how `current` breaks the callers of `published`."""
    for path, methods in published["paths"].items():
        for method, before in methods.items():
            name = f"{method.upper()} {path}"
            now = current["paths"].get(path, {}).get(method)
            if now is None:
                yield Break(name, "is removed")
                continue
            if not before["security"] and now["security"]:
                yield Break(name, "wants a token now")
            yield from _compare_parameters(name, before, now)
            yield from _compare_bodies(name, (before, published), (now, current))
            yield from _compare_answers(name, (before, published), (now, current))


def _compare_parameters(
    name: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[Break]:
    known, given = _parameters(before), _parameters(now)
    for key in sorted(known.keys() - given.keys()):
        yield Break(name, f"does not know {' '.join(key)} any more")
    for key, parameter in sorted(given.items()):
        if not parameter["required"]:
            continue
        if key not in known:
            yield Break(name, f"wants {' '.join(key)}, which is new")
        elif not known[key]["required"]:
            yield Break(name, f"wants {' '.join(key)}, which could be left out")


def _parameters(operation: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {(each["in"], each["name"]): each for each in operation.get("parameters", ())}


def _compare_bodies(
    name: str, before: tuple[Any, Document], now: tuple[Any, Document]
) -> Iterator[Break]:
    known, given = (
        operation.get("requestBody", {}).get("content", {}) for operation, _ in (before, now)
    )
    if given and not known:
        yield Break(name, "wants a body now")
    for kind, media in known.items():
        if kind not in given:
            yield Break(name, f"does not take {kind} any more")
            continue
        old = _Fields(before[1]).of(media["schema"])
        new = _Fields(now[1]).of(given[kind]["schema"])
        for field in sorted(old.keys() - new.keys()):
            yield Break(name, f"does not take {field} any more")
        for field in sorted(field for field, needed in new.items() if needed):
            if not old.get(field):
                yield Break(name, f"wants {field} in the body now")


def _compare_answers(
    name: str, before: tuple[Any, Document], now: tuple[Any, Document]
) -> Iterator[Break]:
    for status, response in before[0]["responses"].items():
        if status[0] not in _GOOD:
            continue
        current = now[0]["responses"].get(status)
        if current is None:
            yield Break(name, f"does not answer {status} any more")
            continue
        for kind, media in response.get("content", {}).items():
            if kind not in current.get("content", {}):
                yield Break(name, f"does not answer {status} as {kind} any more")
                continue
            old = _Fields(before[1]).of(media["schema"])
            new = _Fields(now[1]).of(current["content"][kind]["schema"])
            for field in sorted(old.keys() - new.keys()):
                yield Break(name, f"does not answer {field} with {status} any more")
            for field in sorted(field for field in old.keys() & new.keys() if old[field]):
                if not new[field]:
                    yield Break(name, f"may leave {field} out of {status}")


class _Fields:
    """Finds the fields of a schema, by path, and whether each is always there."""

    def __init__(self, document: Document) -> None:
        self._schemas = document["components"]["schemas"]

    def of(self, schema: Mapping[str, Any], *, at: str = "", within: str = "") -> dict[str, bool]:
        """Return path -> whether it is required; of several branches, all their fields."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return {} if name == within else self.of(self._schemas[name], at=at, within=name)
        found: dict[str, bool] = {}
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
            found |= self.of(each, at=at, within=within)
        if "items" in schema:
            found |= self.of(schema["items"], at=f"{at}[]", within=within)
        for name, each in schema.get("properties", {}).items():
            path = f"{at}.{name}" if at else name
            found[path] = name in schema.get("required", ())
            found |= self.of(each, at=path, within=within)
        return found
