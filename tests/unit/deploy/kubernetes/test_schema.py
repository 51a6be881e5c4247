"""Every object of every overlay follows the schema that an API server of Kubernetes 1.37 has.

No cluster is asked. Where the schemas are from: `vendor.py`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from tests.manifests import KUBERNETES, Manifests, Object, overlay

SCHEMAS = json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))


def validate(thing: Object) -> None:
    """Raise ValidationError where an API server would refuse `thing`, or leave out a part of it."""
    kind = f"{thing['apiVersion']} {thing['kind']}"
    schema = SCHEMAS["kinds"][kind] | {"$defs": SCHEMAS["$defs"]}
    Draft202012Validator(schema).validate(thing)


def test_every_object_follows_its_schema(manifests: Manifests) -> None:
    """Nothing that it does not know, nothing of the wrong type, nothing left out."""
    assert manifests.objects

    for each in manifests.objects:
        validate(each)


@pytest.mark.parametrize(
    ("kind", "name", "slip"),
    [
        ("Deployment", "worker", {"replica": 2}),
        ("Deployment", "worker", {"minReadySeconds": "a while"}),
        ("CronJob", "maintain", {"jobTemplate": {"spec": {"backoff": 1}}}),
        ("NetworkPolicy", "doors", {"ingress": [{"ports": [{"ports": 80}]}]}),
        ("PodDisruptionBudget", "api", {"maxAvailable": 1}),
        ("HorizontalPodAutoscaler", "api", {"maxReplicas": None}),
        ("ScaledObject", "worker", {"triggers": [{"type": "prometheus"}]}),
        ("ScaledObject", "worker", {"maxReplicas": 12}),
        ("PodMonitor", "clerkwork", {"podMetricsEndpoints": [{"port": 9101}]}),
    ],
)
def test_the_schemas_catch_slips(kind: str, name: str, slip: dict[str, Any]) -> None:
    """A misspelt key, a wrong type and a key left out do not pass, at any depth."""
    thing = copy.deepcopy(overlay("production").of_kind(kind)[name])
    thing["spec"] |= slip
    thing["spec"] = {key: value for key, value in thing["spec"].items() if value is not None}

    with pytest.raises(ValidationError):
        validate(thing)


def test_every_file_is_used() -> None:
    """Each file is one that a kustomization names, or is one itself."""
    for path in KUBERNETES.rglob("*.yaml"):
        folder = path.parent
        while not (folder / "kustomization.yaml").is_file():
            folder = folder.parent
        text = (folder / "kustomization.yaml").read_text("utf-8")

        assert path.name == "kustomization.yaml" or str(path.relative_to(folder)) in text
        assert list(yaml.safe_load_all(path.read_text("utf-8")))


def test_one_has_one_name(manifests: Manifests) -> None:
    """All lie in one namespace, which is among them."""
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests.objects]
    (namespace,) = manifests.of_kind("Namespace")

    assert len(names) == len(set(names))
    for each in manifests.objects:
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == namespace
