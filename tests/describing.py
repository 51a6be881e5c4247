"""Hold records against the description of the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft7Validator

from workers.describe.document import build_document

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT: Final[dict[str, Any]] = build_document()


def message_of(topic: str, name: str) -> dict[str, Any]:
    """Return what the document says of one kind of record."""
    message: dict[str, Any] = DOCUMENT["components"]["messages"][f"{topic}.{name}"]
    return message


def find_faults(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a value, by a schema of the document."""
    validator = Draft7Validator(
        # Beside a reference draft 7 sees nothing.
        {"allOf": [schema], "components": DOCUMENT["components"]},
        format_checker=Draft7Validator.FORMAT_CHECKER,
    )
    return [error.message for error in validator.iter_errors(value)]
