"""deploy/compose/own-servers.yml: the same processes, elsewhere, with secrets from files.

No engine is asked. What Compose accepts is in `compose-spec.json`: see test_compose.py.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from api.settings import ApiSettings
from deploy.canary.settings import CanarySettings
from deploy.desk.settings import BrowserDeskSettings
from deploy.maintain.run import MaintainSettings
from deploy.reconcile.settings import ReconcileSettings
from ingest.settings import IngestSettings
from schema.ops.settings import DatabaseSettings, KafkaSettings, read_settings
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[3]
OWN: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/own-servers.yml").read_text("utf-8"))
BUNDLED: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = OWN["services"]

SETTINGS: dict[str, type[BaseSettings]] = {
    "migrate": DatabaseSettings,
    "topics": KafkaSettings,
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "relay": RelaySettings,
    "api": ApiSettings,
    "canary": CanarySettings,
    "desk": BrowserDeskSettings,
    "maintain": MaintainSettings,
    "reconcile": ReconcileSettings,
}
UPKEEP = ("maintain", "reconcile")
BOTH = tuple(name for name in SETTINGS if name not in UPKEEP)
OPERATOR = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.example.com:9093",
    "CLERK_JWKS_URL": "https://clerk.example.com/.well-known/jwks.json",
}
"""The least that an operator has to set."""

SECRETS = {
    "CLERK_SECRET_KEY": "sk_live_0123456789",
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_" + b64encode(b"0123456789abcdef01234567").decode(),
    "DATABASE_URL": "postgresql://worker_a:secret@postgres.example.com/clerkwork",
    "KAFKA_SASL_PASSWORD": "secret",
    "KAFKA_SASL_USERNAME": "clerkwork",
}
"""Variable -> what its file could say."""

_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")


def resolve(value: object, operator: dict[str, str]) -> str:
    """Return a value as Compose makes it."""

    def find(match: re.Match[str]) -> str:
        name, operation, operand = match.groups()
        if operation == "?" and name not in operator:
            raise LookupError(f"{name}: {operand}")
        return operator.get(name, operand)

    return _VARIABLE.sub(find, str(value))


def environment_of(service: str, operator: dict[str, str]) -> dict[str, str]:
    """Return the environment of its container, as Compose makes it."""
    declared = SERVICES[service]["environment"]
    return {
        name: operator[name] if value is None else resolve(value, operator)
        for name, value in declared.items()
        if value is not None or name in operator
    }


def test_the_file_follows_the_published_schema() -> None:
    """Compose would accept every key and every value's shape."""
    Draft202012Validator(SCHEMA).validate(OWN)


def test_the_processes_are_those_of_the_other_file() -> None:
    """All but the servers and those who look on, and besides them what cron runs, by name."""
    assert SERVICES.keys() == SETTINGS.keys()
    assert BUNDLED["services"].keys() - SERVICES.keys() == {
        *("kafka", "postgres"),
        *("prometheus", "grafana"),
    }
    assert {name for name, each in SERVICES.items() if "profiles" in each} == set(UPKEEP)
    for name in UPKEEP:
        assert SERVICES[name]["restart"] == "no"
        assert SERVICES[name]["read_only"] is True


@pytest.mark.parametrize("service", BOTH)
def test_a_process_runs_as_in_the_other_file(service: str) -> None:
    """The same command, probe, bounds and ports; what differs is where servers and secrets are."""
    differing = {"environment", "secrets", "volumes", "depends_on", "build"}
    own, bundled = SERVICES[service], BUNDLED["services"][service]

    assert own.keys() - bundled.keys() <= {"secrets", "volumes"}
    assert {key: own[key] for key in own.keys() - differing} == {
        key: bundled[key] for key in bundled.keys() - differing
    }


@pytest.mark.parametrize("service", BOTH)
def test_it_waits_for_what_is_here(service: str) -> None:
    """As in the other file, but for the servers; the API, which has no Kafka, for tables alone."""
    bundled = BUNDLED["services"][service].get("depends_on", {})
    expected = {name: each for name, each in bundled.items() if name in SETTINGS}
    if service == "api":
        del expected["topics"]

    assert SERVICES[service].get("depends_on", {}) == expected


def test_the_image_is_built_from_the_project() -> None:
    """Paths are relative to the file that names them."""
    (build,) = {json.dumps(each["build"]) for each in SERVICES.values()}
    context = ROOT / "deploy/compose" / json.loads(build)["context"]

    assert context.resolve() == ROOT
    assert (context / json.loads(build)["dockerfile"]).is_file()


@pytest.mark.parametrize("service", SETTINGS)
def test_secrets_are_files_of_its_own(service: str) -> None:
    """`<process>/<variable>`, named as the variable where the process looks, outside the image."""
    for each in SERVICES[service]["secrets"]:
        place = resolve(OWN["secrets"][each["source"]]["file"], {})

        assert each["source"] == f"{service}-{each['target']}"
        assert place == f"/etc/clerkwork/secrets/{service}/{each['target']}"
    assert SERVICES[service]["environment"]["CLERKWORK_SECRETS_DIR"] == "/run/secrets"
    assert not SECRETS.keys() & SERVICES[service]["environment"].keys()


def test_every_secret_is_somebodys() -> None:
    """None is declared that nobody gets."""
    used = {each["source"] for service in SERVICES.values() for each in service["secrets"]}

    assert used == OWN["secrets"].keys()


@pytest.mark.parametrize("service", SETTINGS)
def test_it_gets_what_it_reads_and_nothing_else(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variable and every file is a setting, and together they make valid ones."""
    given = environment_of(service, OPERATOR)
    given |= {each["target"]: SECRETS[each["target"]] for each in SERVICES[service]["secrets"]}
    del given["CLERKWORK_SECRETS_DIR"]
    declared = {*SERVICES[service]["environment"], *given} - {"CLERKWORK_SECRETS_DIR"}
    monkeypatch.setattr(os, "environ", given)

    assert {name.upper() for name in SETTINGS[service].model_fields} >= declared
    assert isinstance(read_settings(SETTINGS[service]), SETTINGS[service])


@pytest.mark.parametrize("missing", OPERATOR)
def test_what_is_not_known_is_asked_for(missing: str) -> None:
    """Nothing starts without it, and the message says what to set."""
    with pytest.raises(LookupError, match=f"{missing}: set it"):
        environment_of("ingest", {k: v for k, v in OPERATOR.items() if k != missing})
