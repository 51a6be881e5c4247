"""Write what clerkwork is made of: `python -m deploy.sbom`, a CycloneDX document for scanners.

https://cyclonedx.org/docs/1.6/json/. It says what the locks say, with the SHA-256 of every file
that they allow, and holds no time and no chance: the same locks give the same bytes. What only
the embedded servers of `clerkwork up` need is optional.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.environment import ROOT
from deploy.stack.jars import LOCK, read_lock
from schema import VERSION
from schema.postgres.ids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NEEDED: Final = ROOT / "requirements.lock"
EMBEDDED: Final = ROOT / "deploy/stack.lock"

_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that others have written, in one version."""

    purl: str
    """As https://github.com/package-url/purl-spec has it; its own in every document."""
    group: str | None = None
    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each of its files: of a wheel for each machine, and of its source."""
    needed: bool
    """Whether the services need it."""


def read_parts() -> list[Part]:
    """Return what the locks name, in a fixed order."""
    needed = {part.purl: part for part in read_pins(NEEDED, needed=True)}
    embedded = {part.purl: part for part in read_pins(EMBEDDED, needed=False)}
    parts = [*(embedded | needed).values(), *_read_jars()]
    return sorted(parts, key=lambda part: part.purl)


def read_pins(lock: Path, *, needed: bool) -> Iterator[Part]:
    """Yield the Python packages that a lock names. Raises ValueError where it has one unhashed."""
    for entry in re.split(r"\n(?=\S)", lock.read_text().strip()):
        pin, hashes = _PIN.match(entry), _HASH.findall(entry)
        if not pin or not hashes:
            raise ValueError(f"{lock.name} pins no files for {entry.partition(chr(10))[0]}")
        name, version = pin[1].lower(), pin[2]
        yield Part(
            purl=f"pkg:pypi/{name}@{version}",
            name=name,
            version=version,
            hashes=tuple(sorted(hashes)),
            needed=needed,
        )


def _read_jars() -> Iterator[Part]:
    for jar in read_lock(LOCK):
        group, name, version = jar.coordinates.split(":")
        yield Part(
            purl=f"pkg:maven/{group}/{name}@{version}",
            group=group,
            name=name,
            version=version,
            hashes=(jar.sha256,),
            needed=False,
        )


def describe(parts: Iterable[Part]) -> dict[str, Any]:
    """Return the document of these parts, as JSON has it."""
    components = [_describe(part) for part in parts]
    own = f"pkg:generic/clerkwork@{VERSION}"
    content = json.dumps(components)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(NAMESPACE, content).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "clerkwork",
                "version": VERSION,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": own,
            }
        },
        "components": components,
    }


def _describe(part: Part) -> dict[str, Any]:
    group = {"group": part.group} if part.group else {}
    return {
        "type": "library",
        "bom-ref": part.purl,
        **group,
        "name": part.name,
        "version": part.version,
        "scope": "required" if part.needed else "optional",
        "hashes": [{"alg": "SHA-256", "content": content} for content in part.hashes],
        "purl": part.purl,
    }


def main() -> None:
    """Write the document to standard output."""
    sys.stdout.write(json.dumps(describe(read_parts()), indent=2) + "\n")


if __name__ == "__main__":
    main()
