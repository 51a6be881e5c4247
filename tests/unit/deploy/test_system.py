"""What each process of a development system is told, and what it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.stack import Stack
from deploy.system import MODULES, Wishes, describe_system

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STACK = Stack(
    bootstrap_servers="127.0.0.1:9092",
    database_url="postgresql://clerkwork@127.0.0.1/clerkwork",
    kafka=None,
    postgres=None,
)


def told(data: Path, environment: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Return the environment of every process, where this is ours."""
    wishes = Wishes(data=data, environment=environment)
    system = describe_system(wishes, stack=STACK, logs=data)
    return {name: each.environment for name, each in system.services.named.items()}


def test_clerks_secret_key_reaches_the_api_alone(tmp_path: Path) -> None:
    """It opens all of Clerk, and nobody else asks there."""
    key = "sk_test_x"
    environments = told(tmp_path, {"CLERK_SECRET_KEY": key, "CLERK_API_URL": "http://localhost/v1"})

    assert environments.keys() == MODULES.keys()
    assert [name for name, each in environments.items() if key in each.values()] == ["api"]
    assert environments["api"]["CLERK_API_URL"] == "http://localhost/v1"
    assert environments["api"]["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:9092"


@pytest.mark.parametrize("environment", [{}, {"CLERK_SECRET_KEY": ""}])
def test_without_a_key_there_is_none(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """An empty variable counts as unset."""
    assert all("CLERK_SECRET_KEY" not in each for each in told(tmp_path, environment).values())
