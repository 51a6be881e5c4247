"""docker-compose.yml: what Compose accepts, and what our processes make of it.

No engine is asked. `compose-spec.json` is the Compose Specification's own schema, unchanged: file
`schema/compose-spec.json` of the Go module compose-spec/compose-go, version 2.16.2, Copyright 2020
The Compose Specification Authors, Apache License 2.0.
"""

from __future__ import annotations

import copy
import json
import os
import re
from base64 import b64encode
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web
from jsonschema import Draft202012Validator, ValidationError

from api.settings import ApiSettings
from deploy.canary.settings import CanarySettings
from deploy.desk.settings import BrowserDeskSettings
from ingest.settings import IngestSettings
from schema.ops.metrics import new_registry
from schema.ops.probes import add_probes
from schema.ops.settings import DatabaseSettings, KafkaSettings, read_settings
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text("utf-8"))

SETTINGS: dict[str, type[BaseSettings]] = {
    "migrate": DatabaseSettings,
    "topics": KafkaSettings,
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "relay": RelaySettings,
    "api": ApiSettings,
    "canary": CanarySettings,
    "desk": BrowserDeskSettings,
}
OURS = tuple(SETTINGS)
ONE_SHOTS = ("migrate", "topics")
PORTS = {
    "ingest": "ingest_port",
    "worker": "worker_metrics_port",
    "relay": "relay_metrics_port",
    "api": "api_port",
    "canary": "canary_metrics_port",
    "desk": "desk_port",
}

OPERATOR = {
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_" + b64encode(b"0123456789abcdef01234567").decode(),
    "CLERK_JWKS_URL": "https://clerk.example.com/.well-known/jwks.json",
}
"""The least that an operator has to set."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def environment_of(service: str, operator: dict[str, str]) -> dict[str, str]:
    """Return what the container of `service` gets, as Compose resolves it."""

    def resolve(match: re.Match[str]) -> str:
        name, operation, operand = match.groups()
        if operation == "?" and not operator.get(name):
            raise LookupError(f"{name}: {operand}")
        return operator.get(name) or operand

    declared = SERVICES[service]["environment"]
    passed_on = {name: operator[name] for name in declared.keys() & operator.keys()}
    written = {
        name: _VARIABLE.sub(resolve, str(value))
        for name, value in declared.items()
        if value is not None
    }
    return passed_on | written


def seconds(duration: str) -> float:
    """Return the seconds in a duration such as `45s`."""
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


def test_the_file_follows_the_published_schema() -> None:
    """Compose would accept every key and every value's shape."""
    Draft202012Validator.check_schema(SCHEMA)

    Draft202012Validator(SCHEMA).validate(COMPOSE)


@pytest.mark.parametrize(
    "slip",
    [
        {"helthcheck": {"test": ["CMD", "true"]}},
        {"depends_on": {"kafka": {"condition": "service_ready"}}},
        {"read_only": "perhaps", "tmpfs": 1},
    ],
)
def test_the_schema_catches_slips(slip: dict[str, Any]) -> None:
    """A misspelt key, an unknown condition and a wrong type do not pass."""
    compose = copy.deepcopy(COMPOSE)
    compose["services"]["api"] |= slip

    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(compose)


def test_the_services_are_the_pipeline() -> None:
    """Kafka, PostgreSQL, and a service for every settings class."""
    assert {"kafka", "postgres", *OURS} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_health_check_or_ends(service: str) -> None:
    """A service that stays is asked how it is; a one-shot answers with its exit code, once."""
    if service in ONE_SHOTS:
        assert "healthcheck" not in SERVICES[service]
        assert SERVICES[service]["restart"] == "no"
    else:
        assert SERVICES[service]["healthcheck"]["test"]
        assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_dependencies_can_be_waited_for(service: str) -> None:
    """A health check is waited for where there is one, the end of a one-shot otherwise."""
    for name, dependency in SERVICES[service].get("depends_on", {}).items():
        expected = "service_completed_successfully" if name in ONE_SHOTS else "service_healthy"

        assert expected == dependency["condition"]
        assert name in SERVICES


@pytest.mark.parametrize("service", OURS)
def test_dependencies_follow_from_the_addresses(service: str) -> None:
    """Who is told an address waits until it answers, and until topics or tables are there."""
    needs = {
        "KAFKA_BOOTSTRAP_SERVERS": {"kafka", "topics"},
        "DATABASE_URL": {"postgres", "migrate"},
        "CANARY_INGEST_URL": {"ingest"},
        "CANARY_API_URL": {"api"},
    }
    expected = {
        name
        for variable in needs.keys() & SERVICES[service]["environment"].keys()
        for name in needs[variable] - {service}
    }

    assert expected == SERVICES[service]["depends_on"].keys()


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(service: str) -> None:
    """Nothing is set that the process does not read."""
    fields = {name.upper() for name in SETTINGS[service].model_fields}

    assert set() == SERVICES[service]["environment"].keys() - fields


@pytest.mark.parametrize("service", OURS)
def test_the_environment_makes_valid_settings(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the least that an operator has to set, every process starts."""
    monkeypatch.setattr(os, "environ", environment_of(service, OPERATOR))

    assert isinstance(read_settings(SETTINGS[service]), SETTINGS[service])


def test_the_signing_secret_is_asked_for() -> None:
    """Without it nothing starts, and the message says what to set."""
    with pytest.raises(LookupError, match="CLERK_WEBHOOK_SIGNING_SECRET: set it"):
        environment_of("ingest", {})


@pytest.mark.parametrize("door", ["ingest", "api"])
def test_the_session_keys_are_asked_for(door: str) -> None:
    """One of the two variables has to be set; the containers get them as they are."""
    guard = COMPOSE["x-session-keys"]

    assert guard.startswith("${CLERK_JWT_KEY:-${CLERK_JWKS_URL:?")
    assert SERVICES[door]["environment"]["CLERK_JWT_KEY"] is None
    assert SERVICES[door]["environment"]["CLERK_JWKS_URL"] is None


@pytest.mark.parametrize("service", PORTS)
def test_health_checks_ask_where_the_process_answers(service: str) -> None:
    """The probe's path is served, and its port is the setting's default, left as it is."""
    app = web.Application()
    add_probes(app, registry=new_registry(), live={}, ready={})
    served = {resource.canonical for resource in app.router.resources()}
    port = SETTINGS[service].model_fields[PORTS[service]].default

    url = urlsplit(SERVICES[service]["healthcheck"]["test"][-1])

    assert ("http", "127.0.0.1", port) == (url.scheme, url.hostname, url.port)
    assert url.path in served
    assert PORTS[service].upper() not in SERVICES[service]["environment"]
    for published in SERVICES[service].get("ports", []):
        assert published.endswith(f":{port}")


@pytest.mark.parametrize("service", OURS)
def test_processes_listen_outside_their_container(service: str) -> None:
    """The default, the loopback interface, would be the container's own."""
    hosts = [name.upper() for name in SETTINGS[service].model_fields if name.endswith("_host")]

    assert {"0.0.0.0"} >= {SERVICES[service]["environment"][name] for name in hosts}  # noqa: S104  # inside a container


@pytest.mark.parametrize("service", OURS)
def test_commands_name_our_packages(service: str) -> None:
    """Each command runs a package that can be run."""
    python, flag, package, *_ = SERVICES[service]["command"]

    assert (python, flag) == ("python", "-m")
    assert find_spec(f"{package}.__main__")


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_the_loopback_interface(service: str) -> None:
    """Nobody else on the network reaches a Kafka without passwords."""
    for published in SERVICES[service].get("ports", []):
        assert published.startswith("127.0.0.1:")


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - OURS))
def test_images_are_pinned(service: str) -> None:
    """What others build is named by version."""
    assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*", SERVICES[service]["image"])


@pytest.mark.parametrize("service", OURS)
def test_our_services_run_our_image(service: str) -> None:
    """It is built from what lies here, not from what was built before."""
    build = SERVICES[service]["build"]

    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    assert SERVICES[service]["pull_policy"] == "build"


@pytest.mark.parametrize("service", OURS)
def test_our_services_have_little_to_misuse(service: str) -> None:
    """Read-only, without capabilities, bounded; the image's user, who is not root, stays."""
    definition = SERVICES[service]

    assert definition["read_only"] is True
    assert definition["tmpfs"] == ["/tmp"]  # noqa: S108  # a container's own
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit"} <= definition.keys()
    assert {"user", "privileged", "cap_add", "volumes"}.isdisjoint(definition)


@pytest.mark.parametrize("service", OURS)
def test_stopping_waits_for_the_drain(service: str) -> None:
    """SIGKILL comes after the drain, which no process gives more than 30 s."""
    assert seconds(SERVICES[service]["stop_grace_period"]) > 30
    assert SERVICES[service]["init"] is True


def test_kafka_is_told_once_where_it_is() -> None:
    """Every listener is advertised or the controller's, and ours connect to one of them."""
    environment = SERVICES["kafka"]["environment"]
    listeners = dict(each.split("://") for each in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(
        each.split("://") for each in environment["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    protocols = dict(
        each.split(":") for each in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    controller = environment["KAFKA_CONTROLLER_LISTENER_NAMES"]

    assert {*advertised, controller} == listeners.keys() == protocols.keys()
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@{listeners[controller]}"
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    for name, address in advertised.items():
        assert address.endswith(listeners[name])
    for service in ("topics", "ingest", "worker", "relay", "api", "canary", "desk"):
        assert environment_of(service, OPERATOR)["KAFKA_BOOTSTRAP_SERVERS"] in advertised.values()


@pytest.mark.parametrize("password", [{}, {"POSTGRES_PASSWORD": "another1"}])
def test_the_database_is_the_one_that_postgres_makes(password: dict[str, str]) -> None:
    """The URL holds the user, the password and the database that the image creates."""
    made = environment_of("postgres", password)

    for service in ("migrate", "worker", "relay", "api", "desk"):
        url = urlsplit(environment_of(service, OPERATOR | password)["DATABASE_URL"])

        assert (made["POSTGRES_USER"], made["POSTGRES_PASSWORD"]) == (url.username, url.password)
        assert ("postgres", 5432, f"/{made['POSTGRES_DB']}") == (url.hostname, url.port, url.path)


def test_data_outlives_containers() -> None:
    """Both stores write into named volumes: PostgreSQL's since 18 is the directory above `data`."""
    assert SERVICES["kafka"]["volumes"] == ["kafka:/var/lib/kafka/data"]
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert {"kafka", "postgres"} == COMPOSE["volumes"].keys()
