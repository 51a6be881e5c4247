"""What each process gets in a cluster: its own settings and secrets, all of them, and no others."""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, get_args

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from api.settings import ApiSettings
from deploy.backfill.settings import BackfillSettings
from deploy.canary.settings import CanarySettings
from deploy.console import app
from deploy.desk.settings import BrowserDeskSettings
from deploy.maintain.run import MaintainSettings
from deploy.reconcile.settings import ReconcileSettings
from ingest.settings import IngestSettings
from schema.ops.metrics import new_registry
from schema.ops.probes import add_probes
from schema.ops.settings import DatabaseSettings, KafkaSettings, read_settings
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from tests.manifests import Manifests

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
    "console": BackfillSettings,
}
PORTS = {
    "ingest": "ingest_port",
    "worker": "worker_metrics_port",
    "relay": "relay_metrics_port",
    "api": "api_port",
    "canary": "canary_metrics_port",
    "desk": "desk_port",
}

SECRETS = {
    "CLERK_SECRET_KEY": "sk_live_0123456789",
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_" + b64encode(b"0123456789abcdef01234567").decode(),
    "DATABASE_URL": "postgresql://worker_a:secret@postgres.example.com/clerkwork",
    "KAFKA_SASL_PASSWORD": "secret",
    "KAFKA_SASL_USERNAME": "clerkwork",
    "REDIS_URL": "rediss://redis.example.com",
}
"""Variable -> what an operator could put into a Secret."""

ELSEWHERE = {"CLERKWORK_SECRETS_DIR"}
"""Read, though no field of the settings class says so."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with an authority's certificate, which settings may want to read."""
    key = generate_private_key(SECP256R1())
    name = Name([NameAttribute(NameOID.COMMON_NAME, "an authority")])
    now = datetime.now(UTC)
    made = CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=now,
        not_valid_after=now + timedelta(days=1),
    ).sign(key, SHA256())
    file = tmp_path_factory.mktemp("authorities") / "kafka-ca.crt"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return str(file)


def is_secret(annotation: Any) -> bool:
    """Tell whether a field's value is one that is never printed."""
    return annotation is SecretStr or any(map(is_secret, get_args(annotation)))


def secrets_known(settings: type[BaseSettings]) -> set[str]:
    """Return the variables that belong into a Secret; a user's name goes with its password."""
    fields = {name: each.annotation for name, each in settings.model_fields.items()}
    return {
        name.upper()
        for name, annotation in fields.items()
        if is_secret(annotation) or name == "kafka_sasl_username"
    }


def variables_of(settings: type[BaseSettings]) -> set[str]:
    """Return all that a process can be told."""
    return {name.upper() for name in settings.model_fields}


def test_the_processes_are_known(manifests: Manifests) -> None:
    """There is one for every settings class, and a place for the operator."""
    assert SETTINGS.keys() == manifests.pods.keys()


@pytest.mark.parametrize("process", SETTINGS)
def test_every_variable_is_a_setting(process: str, manifests: Manifests) -> None:
    """Nothing is set that the process does not read."""
    known = variables_of(SETTINGS[process]) | ELSEWHERE

    assert set() == manifests.settings_of(process).keys() - known
    assert set() == manifests.secrets_of(process).keys() - known


@pytest.mark.parametrize("process", SETTINGS)
def test_secrets_are_its_own(process: str, manifests: Manifests) -> None:
    """Files of a Secret that is named as the process: all that it can use, and no other's."""
    pods = manifests.pods[process]
    (volume,) = (each for each in pods.spec["volumes"] if "projected" in each)
    names = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    known = secrets_known(SETTINGS[process])
    if process == "api" and "reaches-kafka" not in pods.labels:
        known -= {"CLERK_SECRET_KEY", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_USERNAME"}

    assert names == {process}
    assert manifests.secrets_of(process).keys() == known
    assert set() == manifests.settings_of(process).keys() & SECRETS.keys()
    for source in volume["projected"]["sources"]:
        for item in source["secret"]["items"]:
            assert item["key"] == item["path"]


@pytest.mark.parametrize("process", SETTINGS)
def test_secrets_are_read_from_where_they_are_mounted(process: str, manifests: Manifests) -> None:
    """None comes as a variable, which children inherit and crash reports list."""
    pods = manifests.pods[process]
    mounts = {each["name"]: each for each in pods.container["volumeMounts"]}

    place = manifests.settings_of(process)["CLERKWORK_SECRETS_DIR"]

    assert mounts["secrets"]["mountPath"] == place
    assert all("valueFrom" not in each for each in pods.container.get("env", []))
    assert all("secretRef" not in each for each in pods.container.get("envFrom", []))


@pytest.mark.parametrize("process", SETTINGS)
@pytest.mark.parametrize("left_out", [set(), {"REDIS_URL", "CLERK_SECRET_KEY"}])
def test_what_it_gets_makes_valid_settings(
    process: str,
    left_out: set[str],
    manifests: Manifests,
    authority: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It starts with its secrets, with or without those that need not be there."""
    secrets = {
        name: SECRETS[name]
        for name, required in manifests.secrets_of(process).items()
        if required or name not in left_out
    }
    if process == "console":
        secrets["CLERK_SECRET_KEY"] = SECRETS["CLERK_SECRET_KEY"]  # only what asks Clerk needs it
    given = {**manifests.settings_of(process), **secrets}
    if "KAFKA_SSL_CAFILE" in given:
        given["KAFKA_SSL_CAFILE"] = authority  # here it is elsewhere than in a pod
    monkeypatch.setattr(os, "environ", {k: v for k, v in given.items() if k not in ELSEWHERE})

    assert isinstance(read_settings(SETTINGS[process]), SETTINGS[process])


@pytest.mark.parametrize("process", PORTS)
def test_ports_and_probes_are_where_the_process_answers(process: str, manifests: Manifests) -> None:
    """The port is the setting's default, left as it is, and the probes' paths are served."""
    app = web.Application()
    add_probes(app, registry=new_registry(), live={}, ready={})
    served = {resource.canonical for resource in app.router.resources()}
    container = manifests.pods[process].container
    port = SETTINGS[process].model_fields[PORTS[process]].default

    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert PORTS[process].upper() not in manifests.settings_of(process)
    for probe, path in {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
        assert path in served


@pytest.mark.parametrize("process", SETTINGS)
def test_processes_listen_outside_their_container(process: str, manifests: Manifests) -> None:
    """The default, the loopback interface, would be the pod's own; `--every` alone listens else."""
    hosts = [name.upper() for name in SETTINGS[process].model_fields if name.endswith("_host")]

    for name in hosts if process in PORTS else ():
        assert manifests.settings_of(process)[name] == "0.0.0.0"  # noqa: S104  # inside a pod


@pytest.mark.parametrize("process", sorted(SETTINGS.keys() - {"console"}))
def test_commands_can_be_run(process: str, manifests: Manifests) -> None:
    """Each runs a package of ours; what the console is told, it knows."""
    python, flag, package, *arguments = manifests.pods[process].container["command"]

    assert (python, flag) == ("python", "-m")
    assert find_spec(f"{package}.__main__")
    if package == "deploy":
        app.parse_args(arguments, print_error=False, exit_on_error=False)
        assert arguments[0] == process
    else:
        assert not arguments


@pytest.mark.parametrize("process", SETTINGS)
def test_services_set_no_variables(process: str, manifests: Manifests) -> None:
    """A Service called api would set API_PORT=tcp://…, and no API would start."""
    links = {f"{name.upper()}_PORT" for name in manifests.of_kind("Service")}

    assert "API_PORT" in links & variables_of(ApiSettings)
    assert manifests.pods[process].spec["enableServiceLinks"] is False
