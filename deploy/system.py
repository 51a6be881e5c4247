"""What a running clerkwork consists of, and how each of its processes is set up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psutil

from deploy.home import Home, find_home
from deploy.services import Service, Services
from deploy.stack import StackError
from deploy.stack.ports import LOOPBACK
from deploy.tokens import ISSUER, public_key
from schema.ops.variables import read_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from deploy.stack import Stack

LAST_LINES: Final = 15
WATCH_EVERY_S: Final = 0.2
MODULES: Final = {
    "ingest": "ingest",
    "worker": "workers",
    "relay": "workers.relay",
    "api": "api",
    "canary": "deploy.canary",
    "desk": "deploy.desk",
}
"""Process -> what Python runs, in the order in which they are started."""
_SECRET_KEY: Final = "CLERK_SECRET_KEY"  # noqa: S105 - the name of a variable
_CLERK_KEYS: Final = ("CLERK_JWT_KEY", "CLERK_JWKS_URL")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How to bring it up."""

    data: Path | None = None
    """Where state is kept between runs; None for a place that is gone in the end."""
    ingest_port: int = 8080
    api_port: int = 8081
    worker_port: int = 9101
    relay_port: int = 9102
    canary_port: int | None = 9103
    """None: no canary flies."""
    desk_port: int | None = 8082
    """None: there is no desk."""
    kafka_port: int | None = None
    """None takes a free one, as for PostgreSQL."""
    postgres_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=read_environment)
    """Says where Kafka and PostgreSQL are, if anywhere; the processes inherit it."""

    @property
    def home(self) -> Home:
        """Where the secrets are kept."""
        return find_home(self.data)


@dataclass(frozen=True, kw_only=True)
class System:
    """All of clerkwork: its servers, its processes, its development secrets."""

    stack: Stack
    services: Services
    wishes: Wishes
    logs: Path
    signing_secret: str
    private_key: str
    """PEM of the key that signs development tokens."""

    @property
    def webhooks_url(self) -> str:
        """Where Clerk's webhooks go."""
        return f"{self.services.named['ingest'].url}/webhooks/clerk"

    @property
    def commands_url(self) -> str:
        """Where the routes of commands begin."""
        return self.services.named["ingest"].url

    @property
    def api_url(self) -> str:
        """Where the API begins."""
        return self.services.named["api"].url

    @property
    def desk_url(self) -> str | None:
        """Where the desk is, if there is one."""
        desk = self.services.named.get("desk")
        return desk.url if desk else None

    @property
    def believes_us(self) -> bool:
        """Whether both doors take tokens that `private_key` signed."""
        return not _has_clerk_keys(self.wishes.environment)

    def check(self) -> None:
        """Raise StackError when a server or a process has ended by itself; it says which."""
        servers = {"kafka": self.stack.kafka, "postgres": self.stack.postgres}
        for name, server in servers.items():
            if server and not psutil.pid_exists(server.pid):
                log = self.logs / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
                raise StackError(f"{name} has ended by itself. Its log, {log}:\n{tail}")
        self.services.check()

    def watch(self) -> None:
        """Wait until a server or a process has ended by itself. Raises StackError."""
        while True:
            self.check()
            time.sleep(WATCH_EVERY_S)


def describe_system(wishes: Wishes, *, stack: Stack, logs: Path) -> System:
    """Return the system that is to run on `stack`. Raises OperatorError."""
    signing_secret = wishes.home.signing_secret()
    private_key = wishes.home.private_key()
    inherited = _addresses(wishes.environment, stack)
    tokens = _of_both_doors(wishes, private_key)
    variables = {
        "ingest": _of_ingest(wishes, signing_secret) | tokens,
        "worker": _of_worker(wishes, stack),
        "relay": _of_relay(wishes),
        "api": _of_api(wishes) | tokens,
    }
    if wishes.canary_port is not None:
        variables["canary"] = _of_canary(wishes, signing_secret)
    if wishes.desk_port is not None:
        variables["desk"] = _of_desk(wishes, variables) | tokens
    return System(
        stack=stack,
        services=Services(
            [
                Service(
                    name=name,
                    module=MODULES[name],
                    port=getattr(wishes, f"{name}_port"),
                    environment=inherited | own,
                    log=logs / f"{name}.log",
                )
                for name, own in variables.items()
            ]
        ),
        wishes=wishes,
        logs=logs,
        signing_secret=signing_secret,
        private_key=private_key,
    )


def _addresses(environment: Mapping[str, str], stack: Stack) -> dict[str, str]:
    """Return the environment with our servers in it; what describes another Kafka is left out.

    So is the secret key, which not everybody needs.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name != _SECRET_KEY and not (stack.kafka and name.startswith("KAFKA_"))
    }
    return kept | {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": stack.database_url,
    }


def _of_ingest(wishes: Wishes, signing_secret: str) -> dict[str, str]:
    """Take webhooks that we sign, and those of the Clerk whose secret is in the environment."""
    theirs = wishes.environment.get("CLERK_WEBHOOK_SIGNING_SECRET")
    return {
        "INGEST_HOST": LOOPBACK,
        "INGEST_PORT": str(wishes.ingest_port),
        "CLERK_WEBHOOK_SIGNING_SECRET": ",".join(filter(None, (signing_secret, theirs))),
    }


def _of_worker(wishes: Wishes, stack: Stack) -> dict[str, str]:
    # A member with a name takes its partitions back at once after a crash. In a Kafka that others
    # use too, the name could be another's.
    name = {"WORKER_INSTANCE_ID": "development"} if stack.kafka else {}
    return name | {
        "WORKER_METRICS_HOST": LOOPBACK,
        "WORKER_METRICS_PORT": str(wishes.worker_port),
    }


def _of_relay(wishes: Wishes) -> dict[str, str]:
    return {"RELAY_METRICS_HOST": LOOPBACK, "RELAY_METRICS_PORT": str(wishes.relay_port)}


def _of_api(wishes: Wishes) -> dict[str, str]:
    """Let it alone have the key that opens all of Clerk."""
    secret_key = wishes.environment.get(_SECRET_KEY)
    return {
        "API_HOST": LOOPBACK,
        "API_PORT": str(wishes.api_port),
        **({_SECRET_KEY: secret_key} if secret_key else {}),
    }


def _of_canary(wishes: Wishes, signing_secret: str) -> dict[str, str]:
    return {
        "CANARY_INGEST_URL": f"http://{LOOPBACK}:{wishes.ingest_port}/webhooks/clerk",
        "CANARY_API_URL": f"http://{LOOPBACK}:{wishes.api_port}",
        "CANARY_METRICS_HOST": LOOPBACK,
        "CANARY_METRICS_PORT": str(wishes.canary_port),
        "CLERK_WEBHOOK_SIGNING_SECRET": signing_secret,
    }


def _of_desk(wishes: Wishes, others: Iterable[str]) -> dict[str, str]:
    """Show what the other processes tell of themselves."""
    ports = {name: getattr(wishes, f"{name}_port") for name in others}
    return {
        "DESK_HOST": LOOPBACK,
        "DESK_PORT": str(wishes.desk_port),
        "DESK_TARGETS": ",".join(
            f"{name}=http://{LOOPBACK}:{port}" for name, port in ports.items()
        ),
    }


def _of_both_doors(wishes: Wishes, private_key: str) -> dict[str, str]:
    """Believe the tokens that we sign, unless a Clerk's keys are in the environment."""
    if _has_clerk_keys(wishes.environment):
        return {}
    return {"CLERK_JWT_KEY": public_key(private_key), "CLERK_ISSUER": ISSUER}


def _has_clerk_keys(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in _CLERK_KEYS)
