"""A Kafka and a PostgreSQL that speak TLS, with all topics and tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy.console import app
from deploy.services import Service, Services
from deploy.stack.ports import free_port
from deploy.stack.postgres import NAME
from deploy.system import MODULES
from deploy.tokens import ISSUER, new_private_key, public_key
from tests.certificates import HOST, Authority, Certificate
from tests.integration.tls.kafka import PASSWORD, USER, SecureKafka
from tests.integration.tls.page import run_page
from tests.integration.tls.postgres import CERTIFIED, SecurePostgres, provide_programs
from tests.memory import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


PORTS: Final = {
    "ingest": "INGEST_PORT",
    "worker": "WORKER_METRICS_PORT",
    "relay": "RELAY_METRICS_PORT",
    "api": "API_PORT",
}
KEY: Final = new_private_key()


@dataclass(frozen=True, kw_only=True)
class Secured:
    """Both servers, and the files that clients have."""

    kafka: SecureKafka
    postgres: SecurePostgres
    trusted: Authority
    stranger: Authority
    """Has signed nothing here."""
    client: Certificate
    expired: Certificate
    server: Certificate

    def kafka_variables(self, listener: str = "SASL_SSL", **others: str) -> dict[str, str]:
        """Return what lets a process in at a listener."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.servers(listener),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CAFILE": str(self.trusted.file),
        } | others

    def database_url(
        self,
        *,
        authority: Authority | None = None,
        host: str = HOST,
        user: str = f"{NAME}:{{password}}",
        more: str = "",
    ) -> str:
        """Return where clients connect that look who answers."""
        file = (authority or self.trusted).file
        who = user.format(password=self.postgres.password)
        url = f"postgresql://{who}@{host}:{self.postgres.port}/{NAME}"
        return f"{url}?sslmode=verify-full&sslrootcert={file}{more}"


@pytest.fixture(scope="package")
def secured() -> Iterator[Secured]:
    """Both, for all tests of TLS."""
    with scratch_directory() as data, ExitStack() as running:
        data.chmod(0o711)  # the account of the server has to find its programs
        trusted, stranger = (Authority.make(data, name) for name in ("trusted", "stranger"))
        certificates = {
            "server": trusted.issue(HOST, data / "server"),
            "expired": trusted.issue(HOST, data / "expired", days=(-2, -1)),
        }
        secured = Secured(
            kafka=SecureKafka(
                data=data / "kafka", log=data / "kafka.log", authority=trusted, **certificates
            ),
            postgres=SecurePostgres(
                data=data / "postgres",
                log=data / "postgres.log",
                authority=trusted,
                certificate=certificates["server"],
                installation=provide_programs(data / "programs"),
            ),
            trusted=trusted,
            stranger=stranger,
            client=trusted.issue(CERTIFIED, data / "client"),
            **certificates,
        )
        running.callback(secured.postgres.stop)
        running.callback(secured.kafka.stop)
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(secured.postgres.start)
            secured.kafka.start()
        started.result()
        yield secured


@pytest.fixture(scope="package")
def variables(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every process has in its environment: the page's, a public key, ports."""
    variables = run_page(secured, tmp_path_factory.mktemp("page"))
    (Path(variables["CLERKWORK_SECRETS_DIR"]) / "CLERK_JWT_KEY").write_text(public_key(KEY))
    ports = {name: str(free_port()) for name in PORTS.values()}
    return variables | ports | {"CLERK_ISSUER": ISSUER, "LOG_FORMAT": "json"}


@pytest.fixture
def exported(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, the console, have the same."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def run_console(*words: str) -> int:
    """Run a command of the console in this process; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    return int(ended.value.code or 0)


@pytest.fixture(scope="package")
def services(
    variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Ingest, worker, relay and API, in their own processes, on what the console has prepared."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert run_console("migrate") == 0
        assert run_console("topics", "apply") == 0
    logs = tmp_path_factory.mktemp("logs")
    services = Services(
        [
            Service(
                name=name,
                module=MODULES[name],
                port=int(variables[port]),
                environment=variables,
                log=logs / f"{name}.log",
            )
            for name, port in PORTS.items()
        ]
    )
    with services.running():
        yield services
