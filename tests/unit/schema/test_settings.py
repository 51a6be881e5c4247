"""Settings: wrong ones stop the start, named all at once and without their values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ingest.settings import IngestSettings
from schema.ops.settings import read_settings
from tests.factories import ingest_environment
from workers.settings import WorkerSettings


def _set(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start tells all that is wrong, by variable, and repeats no value."""
    _set(
        monkeypatch,
        KAFKA_BOOTSTRAP_SERVERS="nowhere",
        CLERK_WEBHOOK_SIGNING_SECRET="whsec_%%hunter2%%",
        INGEST_PORT="many",
    )
    with pytest.raises(SystemExit) as stop:
        read_settings(IngestSettings)
    message = str(stop.value)

    for name in ("KAFKA_BOOTSTRAP_SERVERS", "CLERK_WEBHOOK_SIGNING_SECRET", "INGEST_PORT"):
        assert name in message
    for value in ("nowhere", "hunter2", "many"):
        assert value not in message


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without a database does not start."""
    _set(monkeypatch, KAFKA_BOOTSTRAP_SERVERS="localhost:9092")
    with pytest.raises(SystemExit, match="DATABASE_URL"):
        read_settings(WorkerSettings)


def test_sasl_needs_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a configuration is refused, not tried."""
    _set(monkeypatch, **ingest_environment(KAFKA_SECURITY_PROTOCOL="SASL_SSL"))
    with pytest.raises(SystemExit, match="KAFKA_SASL_USERNAME"):
        read_settings(IngestSettings)


def test_several_secrets_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation needs the old and the new one."""
    secret = ingest_environment()["CLERK_WEBHOOK_SIGNING_SECRET"]
    _set(monkeypatch, **ingest_environment(CLERK_WEBHOOK_SIGNING_SECRET=f"{secret}, {secret},"))

    assert len(read_settings(IngestSettings).clerk_webhook_signing_secret) == 2


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor str of the settings shows a secret or a password."""
    _set(
        monkeypatch,
        KAFKA_BOOTSTRAP_SERVERS="localhost:9092",
        DATABASE_URL="postgresql://clerkwork:hunter2@localhost/clerkwork",
    )
    settings = read_settings(WorkerSettings)

    assert "hunter2" not in f"{settings!r} {settings}"


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read at the start stays."""
    _set(monkeypatch, **ingest_environment())
    settings = read_settings(IngestSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.ingest_port = 1  # type: ignore[misc]  # that is the point
