"""The Kubernetes manifests as a cluster would get them: built by a real kustomize."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.debian import find_program

KUBERNETES: Final = Path(__file__).parents[1] / "deploy" / "kubernetes"
OVERLAYS: Final = tuple(sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pods:
    """A Deployment, a Job or a CronJob, and the pods that it makes."""

    owner: Object
    template: Object

    @property
    def name(self) -> str:
        """Of which process they are."""
        return str(self.owner["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        """What policies and selectors know them by."""
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def spec(self) -> Object:
        """Return the pod's specification."""
        spec: Object = self.template["spec"]
        return spec

    @property
    def container(self) -> Object:
        """Return the only container there is."""
        (container,) = self.spec["containers"]
        found: Object = container
        return found


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """All objects of an overlay."""

    objects: tuple[Object, ...]

    def of_kind(self, *kinds: str) -> dict[str, Object]:
        """Return name -> object of these kinds."""
        return {each["metadata"]["name"]: each for each in self.objects if each["kind"] in kinds}

    @cached_property
    def pods(self) -> dict[str, Pods]:
        """Process -> its pods."""
        found = {}
        for name, owner in self.of_kind("Deployment", "Job", "CronJob").items():
            job = owner["spec"].get("jobTemplate", owner)
            found[name] = Pods(owner=owner, template=job["spec"]["template"])
        return found

    def settings_of(self, process: str) -> dict[str, str]:
        """Return variable -> value of all that a process gets besides its secrets."""
        maps = self.of_kind("ConfigMap")
        container = self.pods[process].container
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found |= maps[source["configMapRef"]["name"]].get("data", {})
        return found | {each["name"]: each["value"] for each in container.get("env", [])}

    def secrets_of(self, process: str) -> dict[str, bool]:
        """Return variable -> whether it has to be there, of the files a process gets as secrets."""
        (volume,) = (each for each in self.pods[process].spec["volumes"] if "projected" in each)
        return {
            item["path"]: not source["secret"].get("optional", False)
            for source in volume["projected"]["sources"]
            for item in source["secret"]["items"]
        }


def build(folder: Path) -> Manifests:
    """Return what kustomize makes of a folder; skips the test where there is none.

    Raises AssertionError, with its words, where it refuses, or warns of something.
    """
    kubectl = find_kubectl()
    built = subprocess.run(  # noqa: S603  # a fixed command, a folder of ours
        (kubectl, "kustomize", str(folder)), check=False, capture_output=True, text=True, timeout=60
    )
    assert (built.returncode, built.stderr) == (0, "")
    return Manifests(objects=tuple(yaml.load_all(built.stdout, yaml.CSafeLoader)))


@cache
def overlay(name: str) -> Manifests:
    """Return the overlay of that name, built once."""
    return build(KUBERNETES / "overlays" / name)


@cache
def find_kubectl() -> str:
    """Return the path of one that has kustomize 5; skips the test where there is none."""
    kubectl = find_program("kubectl", package="kubernetes-client")
    asked = subprocess.run(  # noqa: S603  # the same
        (kubectl, "version", "--client", "--output=json"),
        check=True,
        capture_output=True,
        timeout=60,
    )
    version = json.loads(asked.stdout).get("kustomizeVersion", "v2")
    if int(version.lstrip("v").partition(".")[0]) < 5:
        pytest.skip(f"{kubectl} has kustomize {version}, and the manifests are for 5")
    return kubectl
