"""What the API reads from its environment."""

from __future__ import annotations

import os

import pytest

from api.settings import ApiSettings
from schema.ops.settings import read_settings

URL = "postgresql://clerkwork:hunter2@localhost/clerkwork"
JWKS = "https://clerk.example.com/.well-known/jwks.json"


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment with a database and nothing of ours besides."""
    for name in os.environ:
        if name.startswith(("API_", "CLERK_", "KAFKA_", "LOG_", "DATABASE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", URL)
    return monkeypatch


def test_defaults(environ: pytest.MonkeyPatch) -> None:
    """Only a database and a source of keys are needed."""
    environ.setenv("CLERK_JWKS_URL", JWKS)

    settings = read_settings(ApiSettings)

    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8081)
    assert (settings.clerk_issuer, settings.clerk_authorized_parties) == (None, ())


def test_every_setting_is_described() -> None:
    """The page of settings is made from the descriptions."""
    assert all(field.description for field in ApiSettings.model_fields.values())


def test_a_pem_may_come_with_escaped_newlines(environ: pytest.MonkeyPatch, public_pem: str) -> None:
    """Env files hold one line for each variable."""
    environ.setenv("CLERK_JWT_KEY", public_pem.replace("\n", "\\n"))
    environ.setenv("CLERK_JWKS_URL", "")

    settings = read_settings(ApiSettings)

    assert settings.clerk_jwt_key
    assert settings.clerk_jwks_url is None


def test_origins_and_issuer_lose_their_slash(environ: pytest.MonkeyPatch) -> None:
    """Clerk writes neither with one, people do."""
    environ.setenv("CLERK_JWKS_URL", JWKS)
    environ.setenv("CLERK_ISSUER", "https://clerk.example.com/")
    environ.setenv("CLERK_AUTHORIZED_PARTIES", "https://app.example.com/, http://localhost:3000,")

    settings = read_settings(ApiSettings)

    assert settings.clerk_issuer == "https://clerk.example.com"
    assert settings.clerk_authorized_parties == (
        "https://app.example.com",
        "http://localhost:3000",
    )


def test_keys_may_come_unencrypted_from_this_machine(environ: pytest.MonkeyPatch) -> None:
    """For development."""
    environ.setenv("CLERK_JWKS_URL", "http://127.0.0.1:9000/jwks.json")

    assert read_settings(ApiSettings).clerk_jwks_url


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, "exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL"),
        ({"CLERK_JWT_KEY": "pk_live_x"}, "CLERK_JWT_KEY: Value error, must be a public key"),
        ({"CLERK_JWKS_URL": "clerk"}, "CLERK_JWKS_URL:"),
        ({"CLERK_JWKS_URL": "http://clerk.example.com/jwks"}, "CLERK_JWKS_URL: Value error"),
        ({"CLERK_AUTHORIZED_PARTIES": "app.example.com"}, "CLERK_AUTHORIZED_PARTIES:"),
        ({"CLERK_AUTHORIZED_PARTIES": "https://a.example/b"}, "CLERK_AUTHORIZED_PARTIES:"),
        ({"API_PORT": "http"}, "API_PORT:"),
        ({"DATABASE_URL": "mysql://root:hunter2@x"}, "DATABASE_URL:"),
    ],
)
def test_a_bad_value_is_named_and_not_repeated(
    environ: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    """The start fails with the variable and the reason; a value may be a secret."""
    for name, value in variables.items():
        environ.setenv(name, value)

    with pytest.raises(SystemExit) as caught:
        read_settings(ApiSettings)

    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert not any(value in str(caught.value) for value in variables.values() if "_" in value)


def test_two_sources_of_keys_are_a_contradiction(
    environ: pytest.MonkeyPatch, public_pem: str
) -> None:
    """Nobody could say which one counts."""
    environ.setenv("CLERK_JWT_KEY", public_pem)
    environ.setenv("CLERK_JWKS_URL", JWKS)

    with pytest.raises(SystemExit, match="exactly one"):
        read_settings(ApiSettings)


@pytest.mark.parametrize(
    "unfit",
    [
        {"API_POOL_MIN": "5", "API_POOL_MAX": "4"},
        {"API_POOL_MAX": "0"},
        {"API_ACQUIRE_S": "11"},
        {"API_QUERY_S": "0"},
        {"API_STANDING_TTL_S": "6"},
        {"CLERK_AZP_REQUIRED": "yes"},
    ],
)
def test_limits_that_contradict_or_bound_nothing_stop_the_start(
    environ: pytest.MonkeyPatch, unfit: dict[str, str]
) -> None:
    """Every wait ends, and what is required must be named."""
    environ.setenv("CLERK_JWKS_URL", JWKS)
    for name, value in unfit.items():
        environ.setenv(name, value)

    with pytest.raises(SystemExit):
        read_settings(ApiSettings)


def test_a_secret_key_needs_somewhere_to_publish(environ: pytest.MonkeyPatch) -> None:
    """What Clerk answers of a new user goes the way of every event; without it, no Kafka."""
    environ.setenv("CLERK_JWKS_URL", JWKS)
    assert read_settings(ApiSettings).clerk_secret_key is None
    environ.setenv("CLERK_SECRET_KEY", "sk_test_hunter2")

    with pytest.raises(SystemExit, match="KAFKA_BOOTSTRAP_SERVERS is needed") as caught:
        read_settings(ApiSettings)
    environ.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    settings = read_settings(ApiSettings)

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(settings)
    assert settings.kafka.kafka_bootstrap_servers == "kafka:9092"
    assert str(settings.clerk_api_url) == "https://api.clerk.com/v1"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"CLERK_SECRET_KEY": "pk_test_x"}, "must begin with sk_live_ or sk_test_"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS: Value error"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_PASSWORD are needed"),
        ({"API_CLERK_SHARE": "1.1"}, "API_CLERK_SHARE:"),
    ],
)
def test_what_cannot_fetch_newcomers_stops_the_start(
    environ: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    """Nobody finds out only when the first new user comes."""
    environ.setenv("CLERK_JWKS_URL", JWKS)
    environ.setenv("CLERK_SECRET_KEY", "sk_test_x")
    environ.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    for name, value in variables.items():
        environ.setenv(name, value)

    with pytest.raises(SystemExit) as caught:
        read_settings(ApiSettings)

    assert problem in str(caught.value)
