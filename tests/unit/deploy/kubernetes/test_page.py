"""docs/how-to/kubernetes.md: its tables are those of the manifests, and its commands do their work.

They run as they stand there, in a shell. `docker` takes notes, and so does `kubectl` where it would
go to a cluster; what it makes by itself, it makes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.manifests import KUBERNETES, find_kubectl, overlay

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY = KUBERNETES.parent
PAGE = DEPLOY / "docs/how-to/kubernetes.md"
TEXT = PAGE.read_text("utf-8")
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))

NOTING = """#!/usr/bin/env bash
set -euo pipefail
echo "${{0##*/}} $*" >> {place}/notes
[ "${{0##*/}}" = kubectl ] || exit 0
case " $* " in
    *" kustomize "*) exec {kubectl} "$@" ;;
    *" create "*"--dry-run"*) exec {kubectl} "$@" ;;
    *" create "*) made=$({kubectl} "$@" --dry-run=client -o yaml) ;;
    *" apply -k "*) made=$({kubectl} kustomize "$3") ;;
    *" apply -f "*) made=$(cat "${{@: -1}}") ;;
    *) exit 0 ;;
esac
printf -- '---\\n%s\\n' "$made" >> {place}/objects
"""
"""Stands for kubectl and docker."""


def table(name: str) -> dict[str, str]:
    """Return first cell -> second cell of a table of the page, without code's marks."""
    rows = TEXT.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[3:]]
    return {first.strip("`"): second for first, second, *_ in cells}


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Somebody who has followed the page."""

    place: Path
    said: str
    code: int

    @cached_property
    def notes(self) -> list[list[str]]:
        """What was asked of a cluster, in order, each as words."""
        return [line.split() for line in (self.place / "notes").read_text("utf-8").splitlines()]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """What was given to a cluster."""
        text = (self.place / "objects").read_text("utf-8")
        return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """One who has made the files that the page asks for, and pasted all its commands."""
    place = tmp_path_factory.mktemp("operator")
    for folder in ("kubernetes", "prometheus/rules"):
        shutil.copytree(DEPLOY / folder, place / "deploy" / folder)
    for process, files in table("secrets").items():
        (place / "secrets" / process).mkdir(parents=True)
        for variable in re.findall(r"`(\w+)`", files):
            (place / "secrets" / process / variable).write_text("secret", "utf-8")
    for authority in ("kafka-ca.crt", "postgres-ca.crt"):
        (place / authority).write_text("-----BEGIN CERTIFICATE-----\n", "utf-8")
    (place / "bin").mkdir()
    for program in ("kubectl", "docker"):
        script = place / "bin" / program
        script.write_text(NOTING.format(place=place, kubectl=find_kubectl()), "utf-8")
        script.chmod(0o755)
    ended = subprocess.run(  # noqa: S603  # a page of ours
        (
            "/usr/bin/env",
            f"PATH={place}/bin:/usr/bin:/bin",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            COMMANDS,
        ),
        cwd=place,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return Operator(place=place, said=ended.stdout, code=ended.returncode)


def test_the_commands_go_through(operator: Operator) -> None:
    """From the image to an upgrade, none of them fails."""
    assert operator.code == 0, operator.said
    assert ["docker", "push", "registry.example.com/clerkwork:0.1.0"] in operator.notes


def test_the_table_says_which_secrets_there_are() -> None:
    """Each process with its files, in brackets where they need not be there."""
    manifests = overlay("production")
    expected = {
        process: ", ".join(
            f"`{variable}`" if required else f"(`{variable}`)"
            for variable, required in manifests.secrets_of(process).items()
        )
        for process in manifests.pods
    }

    assert table("secrets") == expected


def test_the_secrets_are_those_that_pods_mount(operator: Operator) -> None:
    """By these names, with these keys; and so the certificates of the authorities."""
    manifests = overlay("production")
    made = {each["metadata"]["name"]: each for each in operator.objects if each["kind"] == "Secret"}
    (authorities,) = (
        each for each in operator.objects if each["metadata"]["name"] == "authorities"
    )
    file = manifests.settings_of("worker")["KAFKA_SSL_CAFILE"].rpartition("/")[2]

    assert made.keys() == manifests.pods.keys()
    for process, secret in made.items():
        assert secret["data"].keys() == manifests.secrets_of(process).keys()
        assert secret["metadata"]["namespace"] == "clerkwork"
    assert authorities["kind"] == "ConfigMap"
    assert file in authorities["data"]


def test_what_is_waited_for_is_there(operator: Operator) -> None:
    """Each name of a Job, a Deployment or a Service that a command says exists."""
    manifests = overlay("production")
    known = {
        f"{kind.lower()}/{name}"
        for kind in ("Job", "Deployment", "Service")
        for name in manifests.of_kind(kind)
    }
    said = {
        word
        for note in operator.notes
        for word in note
        if re.match("(job|deployment|service)/", word)
    }
    rolled = {
        word.partition("/")[2] for note in operator.notes if "status" in note for word in note
    }

    assert {"job/migrate", "job/topics", "deployment/worker"} <= said <= known
    assert rolled - {""} == manifests.of_kind("Deployment").keys()


def test_labels_are_those_that_policies_ask_for(operator: Operator) -> None:
    """Namespaces get them, and preparing is selected by its own."""
    policies = str(overlay("production").of_kind("NetworkPolicy"))
    labels = {note[-1].partition("=")[0] for note in operator.notes if "label" in note}
    selected = {note[-1] for note in operator.notes if "-l" in note}

    assert labels == {"calls-clerkwork", "scrapes-clerkwork"}
    assert all(f"'{label}': 'true'" in policies for label in labels)
    assert selected == {"step=prepare"}


def test_rules_become_objects_as_they_are(operator: Operator) -> None:
    """Prometheus Operator gets the very groups that Prometheus reads."""
    rules = {
        path.stem: yaml.safe_load(path.read_text("utf-8"))
        for path in (DEPLOY / "prometheus/rules").glob("*.yml")
    }
    made = {
        each["metadata"]["name"]: each["spec"]
        for each in operator.objects
        if each["kind"] == "PrometheusRule"
    }

    assert made == rules


def test_the_table_says_which_policies_there_are() -> None:
    """Each of production's, and whom it is of where it goes by a label."""
    manifests = overlay("production")
    told = table("policies")

    assert told.keys() == manifests.of_kind("NetworkPolicy").keys()
    for name, text in told.items():
        of = {process for process, pods in manifests.pods.items() if name in pods.labels}
        if of:
            assert set(re.split(r", ", text.partition(":")[0])) == of


def test_what_can_be_had_besides_is_told() -> None:
    """Each component is one that production names, in use or not, and the page says what it is."""
    kustomization = (KUBERNETES / "overlays/production/kustomization.yaml").read_text("utf-8")

    for component in (KUBERNETES / "components").iterdir():
        assert f"../../components/{component.name}" in kustomization
    for word in ("podmonitor", "newcomers", "redis", "KEDA"):
        assert word in TEXT


def test_links_of_manifests_lead_somewhere() -> None:
    """Those of the page are the documentation's to check."""
    for path in KUBERNETES.rglob("*.yaml"):
        for link in re.findall(r"\.\./\S+\.md", path.read_text("utf-8")):
            assert (path.parent / link).is_file()
