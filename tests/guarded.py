"""A real Kafka that asks who one is, and lets nobody do anything but the boss."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from deploy.stack.kafka import JAVA_OPTIONS, SETTINGS, Kafka
from deploy.stack.ports import LOOPBACK
from tests.memory import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOSS: Final = "boss"
_TELLS_WHAT_IT_DENIES: Final = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=info"
_MODULE: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"


class Guarded(NamedTuple):
    """Where it is, and what it says."""

    servers: str
    log: Path

    def denied_to(self, user: str) -> list[str]:
        """Return what it has denied to a user."""
        said = self.log.read_text(errors="replace").splitlines()
        return [line for line in said if f"User:{user} is Denied" in line]


def _connects(port: int) -> bool:
    with socket.create_connection((LOOPBACK, port), timeout=2):
        return True


@contextlib.contextmanager
def guarded_kafka(*users: str) -> Iterator[Guarded]:
    """Run it for these users while the context lasts."""
    known = " ".join(f'user_{user}="{password_of(user)}"' for user in (BOSS, *users))
    itself = f'username="{BOSS}" password="{password_of(BOSS)}"'
    settings = SETTINGS | {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": f"{_MODULE} required {itself} {known};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{BOSS};User:ANONYMOUS",
    }
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as data:
        patch.setattr("deploy.stack.kafka.SETTINGS", settings)
        patch.setattr("deploy.stack.kafka.serves", _connects)
        options = (*JAVA_OPTIONS, _TELLS_WHAT_IT_DENIES)
        patch.setattr("deploy.stack.kafka.JAVA_OPTIONS", options)
        with Kafka(data=data / "kafka", log=data / "kafka.log") as kafka:
            yield Guarded(kafka.bootstrap_servers, data / "kafka.log")


def password_of(user: str) -> str:
    """Return it."""
    return f"{user}-s"


def arguments_as(user: str, servers: str) -> dict[str, Any]:
    """Return what a client takes to come as that user."""
    return {
        "bootstrap_servers": servers,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": user,
        "sasl_plain_password": password_of(user),
    }


def variables_as(user: str, servers: str) -> dict[str, str]:
    """Return what a process takes to come as that user."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": user,
        "KAFKA_SASL_PASSWORD": password_of(user),
    }
