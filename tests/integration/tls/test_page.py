"""What docs/how-to/encrypt.md says, done: all of clerkwork with nothing in the clear but HTTP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg
import pytest
from structlog.testing import capture_logs

from deploy.canary.run import fly_once
from deploy.canary.settings import CanarySettings
from deploy.console import app
from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine
from deploy.doctor.verdict import Status
from deploy.environment import ROOT
from deploy.services import Service, Services
from deploy.stack.ports import free_port
from deploy.stack.postgres import NAME
from deploy.system import MODULES
from deploy.tokens import ISSUER, mint_token, new_private_key, public_key
from schema.ops.settings import read_settings
from tests.certificates import HOST
from tests.factories import SECRET, new_user_id, sign, user_event
from tests.integration.tls.kafka import PASSWORD
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.tls.conftest import Secured

PAGE: Final = ROOT / "deploy/docs/how-to/encrypt.md"
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS: Final = {
    "ingest": "INGEST_PORT",
    "worker": "WORKER_METRICS_PORT",
    "relay": "RELAY_METRICS_PORT",
    "api": "API_PORT",
}
CLEAR: Final = """
    SELECT application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE backend_type = 'client backend' AND NOT ssl
"""
CONNECTED: Final = "SELECT DISTINCT application_name FROM pg_stat_activity"
KEY: Final = new_private_key()


def _read_blocks() -> dict[str, list[str]]:
    """Return the scripts of each section."""
    parts = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {
        name: re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for name, text in found
    }


def _run_page(secured: Secured, directory: Path) -> dict[str, str]:
    """Do what the page says with the addresses that there are here; return the variables."""
    blocks = _read_blocks()
    secrets = blocks["Secrets from files"][0]
    script = f"set -eua\n{blocks['Kafka'][0]}{secrets}{blocks['HTTP'][0]}env -0"
    for written, meant in {
        "kafka.internal:9093": secured.kafka.servers("SASL_SSL"),
        "worker_a:": f"{NAME}:",
        "db.internal:5432": f"{HOST}:{secured.postgres.port}",
        "/etc/clerkwork": str(directory),
    }.items():
        assert written in script
        script = script.replace(written, meant)
    for name in ("kafka-ca.crt", "postgres-ca.crt"):
        shutil.copyfile(secured.trusted.file, directory / name)
    done = subprocess.run(  # noqa: S603  # what the page says
        ["/bin/bash", "-c", script],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_PASSWORD": secured.postgres.password,
            "KAFKA_PASSWORD": PASSWORD,
            "WEBHOOK_SECRET": SECRET.removeprefix("whsec_"),
        },
        capture_output=True,
        check=True,
    )
    variables = dict(each.split("=", 1) for each in done.stdout.decode().split("\0") if each)
    for name in ("DATABASE_PASSWORD", "KAFKA_PASSWORD", "WEBHOOK_SECRET"):
        del variables[name]
    return variables


@pytest.fixture(scope="module")
def variables(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every process has in its environment: the page's, a public key, ports."""
    variables = _run_page(secured, tmp_path_factory.mktemp("page"))
    (Path(variables["CLERKWORK_SECRETS_DIR"]) / "CLERK_JWT_KEY").write_text(public_key(KEY))
    ports = {name: str(free_port()) for name in PORTS.values()}
    return variables | ports | {"CLERK_ISSUER": ISSUER, "LOG_FORMAT": "json"}


@pytest.fixture
def exported(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, the console, have the same."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def _console(*words: str) -> int:
    """Run a command of the console in this process; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def services(
    variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Ingest, worker, relay and API, in their own processes, on what the console has prepared."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert _console("migrate") == 0
        assert _console("topics", "apply") == 0
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


@pytest.mark.usefixtures("exported")
async def test_the_whole_way_is_encrypted(
    secured: Secured, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed webhook comes out of the API, a canary out of the change topic; nothing in clear."""
    user = new_user_id()
    body = user_event(user, at=0)
    token = mint_token(KEY, user_id=user, minutes=5)
    ingest, api = (services.named[name].url for name in ("ingest", "api"))
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{ingest}/webhooks/clerk", data=body, headers=sign(body)) as taken:
            assert taken.status == 202

        async def ask() -> object:
            asked = {"Authorization": f"Bearer {token}"}
            async with http.get(f"{api}/v1/me", headers=asked) as answer:
                return (await answer.json()).get("clerk_id")

        await until(ask, lambda found: found == user)
    monkeypatch.setenv("CANARY_INGEST_URL", f"{ingest}/webhooks/clerk")
    monkeypatch.setenv("CANARY_API_URL", api)
    flight = await fly_once(read_settings(CanarySettings))
    connection = await asyncpg.connect(secured.database_url())
    clear = await connection.fetch(CLEAR)
    names = {row["application_name"] for row in await connection.fetch(CONNECTED)}
    await connection.close()

    assert flight.lost_at is None
    assert clear == []
    assert {"clerkwork-worker", "clerkwork-relay"} <= names


@pytest.mark.usefixtures("exported", "services")
async def test_the_doctor_reaches_both() -> None:
    """Nothing of Kafka's or PostgreSQL's is wrong, or was left out because nobody was reached."""
    with capture_logs():
        findings = await examine(CHECKS)

    assert [each for each in findings if each.verdict.status is Status.WRONG] == []
    assert [each for each in findings if "is not reached" in each.verdict.found] == []
