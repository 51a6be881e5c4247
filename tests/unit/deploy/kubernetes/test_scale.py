"""What grows by itself: bounds, and that the figures it follows exist."""

from __future__ import annotations

import re

import pytest
import yaml

from schema.kafka.topics import SOURCES
from schema.ops.metrics.catalogue import catalogue
from tests.manifests import KUBERNETES, overlay

PRODUCTION = "production"
PROMETHEUS = KUBERNETES.parent / "prometheus/prometheus.yml"


def trigger(kind: str) -> dict[str, object]:
    """Return the metadata of the workers' only trigger of a kind."""
    spec = overlay(PRODUCTION).of_kind("ScaledObject")["worker"]["spec"]
    (found,) = (each for each in spec["triggers"] if each["type"] == kind)
    metadata: dict[str, object] = found["metadata"]
    return metadata


def test_the_query_asks_for_figures_that_exist() -> None:
    """Of the topics that workers apply, not of those in which records wait on purpose."""
    query = str(trigger("prometheus")["query"])
    known = {metric.name for metrics in catalogue().values() for metric in metrics}
    (topics,) = re.findall(r'topic=~"([^"]+)"', query)

    assert set(re.findall(r"clerkwork_\w+", query)) <= known
    assert set(topics.split("|")) == {topic.name for topic in SOURCES}


def test_who_knows_nothing_changes_nothing() -> None:
    """Where the query says nothing of itself, it says the threshold: neither more nor fewer."""
    metadata = trigger("prometheus")

    assert str(metadata["query"]).endswith(f"or on () vector({metadata['threshold']})")


def test_there_are_no_more_workers_than_partitions() -> None:
    """Another one would have none."""
    spec = overlay(PRODUCTION).of_kind("ScaledObject")["worker"]["spec"]

    assert spec["maxReplicaCount"] == max(topic.partitions for topic in SOURCES)
    assert spec["minReplicaCount"] >= 2
    # KEDA refuses one where no trigger but CPU time has a value for each pod.
    assert "fallback" not in spec


def test_workers_come_and_go_a_few_at_a_time() -> None:
    """Each change moves partitions; the next one waits for longer than a drain takes."""
    spec = overlay(PRODUCTION).of_kind("ScaledObject")["worker"]["spec"]
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    grace = overlay(PRODUCTION).pods["worker"].spec["terminationGracePeriodSeconds"]

    for direction in ("scaleUp", "scaleDown"):
        (policy,) = behaviour[direction]["policies"]
        assert policy["type"] == "Pods"
        assert policy["value"] <= 2
        assert policy["periodSeconds"] > grace


@pytest.mark.parametrize("process", ["ingest", "api", "worker"])
def test_one_of_two_says_how_many(process: str) -> None:
    """What is scaled by itself has no number that each `kubectl apply` would set again."""
    manifests = overlay(PRODUCTION)
    scalers = manifests.of_kind("HorizontalPodAutoscaler", "ScaledObject")

    assert scalers[process]["spec"]["scaleTargetRef"]["name"] == process
    assert "replicas" not in manifests.pods[process].owner["spec"]


def test_prometheus_knows_pods_by_the_names_of_its_rules() -> None:
    """The monitor gives each process the job that alerts and dashboards ask for."""
    config = yaml.safe_load(PROMETHEUS.read_text("utf-8"))
    jobs = {job["job_name"] for job in config["scrape_configs"]} - {"clerkwork-reconcile"}
    manifests = overlay(PRODUCTION)
    (endpoint,) = manifests.of_kind("PodMonitor")["clerkwork"]["spec"]["podMetricsEndpoints"]
    (relabeling,) = endpoint["relabelings"]

    scraped = {
        relabeling["replacement"].replace("$1", pods.labels["app.kubernetes.io/name"])
        for pods in manifests.pods.values()
        if any(port["name"] == endpoint["port"] for port in pods.container.get("ports", []))
    }

    assert scraped == jobs
