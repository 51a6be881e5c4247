"""What both HTTP services refuse to start with."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schema.http.settings import HttpSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://cache:6379"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://cache:port"),
        ("REDIS_URL", "cache:6379"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("TRUSTED_PROXY_HOPS", "-1"),
        ("HTTP_CONNECTIONS", "0"),
        ("HTTP_HEAD_TIMEOUT_S", "0"),
    ],
)
def test_a_bad_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Not the first request that it matters to; and it is not repeated, for it may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        HttpSettings()

    assert [error["loc"] for error in caught.value.errors()] == [(name.lower(),)]
    assert "input_value" not in str(caught.value)


def test_good_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists by commas; an empty URL is none."""
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    monkeypatch.setenv("REDIS_URL", "rediss://user:hunter2@cache.example:6380/1")
    settings = HttpSettings()

    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert settings.redis_url is not None
    assert "hunter2" not in repr(settings)
    monkeypatch.setenv("REDIS_URL", "")
    assert HttpSettings().redis_url is None
