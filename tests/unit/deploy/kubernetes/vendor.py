"""Make `schemas.json` anew: what our kinds of object need of others' schemas, without their words.

    python tests/unit/deploy/kubernetes/vendor.py KUBERNETES CRD...

KUBERNETES is the file `kubernetes-json-schema/v1.37.0-local-strict/_definitions.json` of the Python
package kubernetes-validate 1.37.0, made from Kubernetes' OpenAPI document. Each CRD is a custom
resource definition as its project has it: `config/crd/bases/keda.sh_scaledobjects.yaml` of the Go
module github.com/kedacore/keda/v2 2.21.0, and
`example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml` of the Go module
github.com/prometheus-operator/prometheus-operator 0.85.0. All are under the Apache License 2.0,
Copyright The Kubernetes Authors, Will Thames, The KEDA Authors, The prometheus-operator Authors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

KINDS: Final = {
    "v1 ConfigMap": "core.v1.ConfigMap",
    "v1 Namespace": "core.v1.Namespace",
    "v1 Service": "core.v1.Service",
    "v1 ServiceAccount": "core.v1.ServiceAccount",
    "apps/v1 Deployment": "apps.v1.Deployment",
    "autoscaling/v2 HorizontalPodAutoscaler": "autoscaling.v2.HorizontalPodAutoscaler",
    "batch/v1 CronJob": "batch.v1.CronJob",
    "batch/v1 Job": "batch.v1.Job",
    "networking.k8s.io/v1 Ingress": "networking.v1.Ingress",
    "networking.k8s.io/v1 NetworkPolicy": "networking.v1.NetworkPolicy",
    "policy/v1 PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
}
"""Kind -> its definition in Kubernetes' document, after `io.k8s.api.`."""

PREFIX: Final = "/api/_definitions.json"
WORDS: Final = ("description", "example")


def without_words(node: Any) -> Any:
    """Return a schema with what is checked, and references within one document."""
    if isinstance(node, list):
        return [without_words(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key in WORDS and isinstance(value, str):
            continue
        if key.startswith("x-kubernetes-") and key != "x-kubernetes-preserve-unknown-fields":
            continue
        kept[key] = value.removeprefix(PREFIX) if key == "$ref" else without_words(value)
    return kept


def strict(node: Any) -> Any:
    """Return a schema that refuses what it does not name, as an API server prunes it."""
    if isinstance(node, list):
        return [strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    named = isinstance(made.get("properties"), dict) and made.get("type") == "object"
    if named and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def referred(node: Any) -> set[str]:
    """Return the names of definitions that a schema refers to."""
    if isinstance(node, list):
        return set().union(*map(referred, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
    return own.union(*map(referred, node.values()))


def main(kubernetes: str, *definitions: str) -> None:
    """Write the file beside this one."""
    known = json.loads(Path(kubernetes).read_text("utf-8"))["$defs"]
    wanted = {f"io.k8s.api.{name}" for name in KINDS.values()}
    schemas: dict[str, Any] = {}
    while missing := wanted - schemas.keys():
        for name in missing:
            schemas[name] = without_words(known[name])
            wanted |= referred(schemas[name])
    kinds = {kind: {"$ref": f"#/$defs/io.k8s.api.{name}"} for kind, name in KINDS.items()}
    for each in definitions:
        spec = yaml.safe_load(Path(each).read_text("utf-8"))["spec"]
        for version in spec["versions"]:
            kind = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
            schema = strict(without_words(version["schema"]["openAPIV3Schema"]))
            schema["properties"]["metadata"] = {
                "$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
            }
            kinds[kind] = schema
    written = {"kinds": kinds, "$defs": schemas}
    text = json.dumps(written, sort_keys=True, separators=(",", ":"))
    Path(__file__).with_name("schemas.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
