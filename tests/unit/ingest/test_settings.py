"""What ingest reads from its environment."""

from __future__ import annotations

import pytest

from ingest.settings import IngestSettings
from schema.ops.settings import read_settings
from tests.factories import ingest_environment

JWKS = "https://clerk.example.com/.well-known/jwks.json"


def _read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> IngestSettings:
    for name, value in ingest_environment(**variables).items():
        monkeypatch.setenv(name, value)
    return read_settings(IngestSettings)


def test_keys_are_optional(monkeypatch: pytest.MonkeyPatch, public_pem: str) -> None:
    """Who wants webhooks alone sets none; an empty variable is none."""
    assert not _read(monkeypatch, CLERK_JWT_KEY="", CLERK_JWKS_URL="").has_keys
    assert _read(monkeypatch, CLERK_JWKS_URL=JWKS).has_keys
    assert _read(monkeypatch, CLERK_JWKS_URL="", CLERK_JWT_KEY=public_pem).has_keys


def test_two_sources_of_keys_are_a_contradiction(
    monkeypatch: pytest.MonkeyPatch, public_pem: str
) -> None:
    """As for the API: nobody could say which one counts."""
    with pytest.raises(SystemExit, match="not both"):
        _read(monkeypatch, CLERK_JWT_KEY=public_pem, CLERK_JWKS_URL=JWKS)


def test_rules_are_those_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """One token is as good at both doors."""
    rules = _read(
        monkeypatch,
        CLERK_JWKS_URL=JWKS,
        CLERK_ISSUER="https://clerk.example.com/",
        CLERK_AUTHORIZED_PARTIES="https://app.example.com",
    ).token_rules

    assert (rules.issuer, rules.parties) == (
        "https://clerk.example.com",
        ("https://app.example.com",),
    )


def test_every_setting_is_described() -> None:
    """The page of settings is made from the descriptions."""
    assert all(field.description for field in IngestSettings.model_fields.values())
