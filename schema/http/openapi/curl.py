"""Write the command that calls an operation, ready to paste into a shell. Pure."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def write_curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return it, over several lines; it reads `$URL` and, where one is needed, `$TOKEN`."""
    return " \\\n  ".join(_words(method, path, operation))


def _words(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", ())
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(str(each["example"]), safe=""))
    verb = "" if method == "get" else f" -X {method.upper()}"
    yield f'curl{verb} "$URL{path}"'
    if operation["security"]:
        yield '-H "Authorization: Bearer $TOKEN"'
    for each in parameters:
        if each["in"] == "header" and each["required"]:
            header = f"{each['name']}: {each['example']}"
            yield f"-H {shlex.quote(header)}"
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"-H {shlex.quote(f'Content-Type: {kind}')}"
        yield f"-d {shlex.quote(json.dumps(media.get('example', {}), ensure_ascii=False))}"
