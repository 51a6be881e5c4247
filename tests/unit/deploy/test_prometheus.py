"""Rules and alerts: what they name exists, what the README promises is guarded, all are tested.

What the rules answer, promtool and a real Prometheus say: tests/integration/deploy/prometheus.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from api.settings import ApiSettings
from deploy.canary.settings import CanarySettings
from deploy.desk.settings import BrowserDeskSettings
from deploy.reconcile.settings import ReconcileSettings
from ingest.settings import IngestSettings
from schema.kafka.topics import DEAD_LETTER_TOPICS, SOURCES
from schema.ops.metrics import WorkerMetrics, new_registry
from schema.ops.probes import PATHS
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
HERE = ROOT / "deploy/prometheus"
RUNBOOK = ROOT / "deploy/docs/runbook.md"

OF_THE_TARGET = {"job", "instance", "process"}
"""Labels that a series has from where it was scraped, whatever it is."""
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
NAMES = re.compile(r"\b((?:clerkwork[_:]|process_)[\w:]+|up)\b\s*(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def read(path: Path) -> Any:
    """Return what a YAML file says."""
    return yaml.safe_load(path.read_text("utf-8"))


RULES: list[dict[str, Any]] = [
    rule
    for path in sorted(HERE.glob("rules/*.yml"))
    for group in read(path)["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TESTS = [
    (minutes, case["alertname"], bool(case.get("exp_alerts")), test["name"])
    for path in sorted(HERE.glob("tests/*.yml"))
    for test in read(path)["tests"]
    for case in test["alert_rule_test"]
    for minutes in [int(case["eval_time"].removesuffix("m"))]
]
CONFIG = read(HERE / "prometheus.yml")
JOBS = {job["job_name"]: job for job in CONFIG["scrape_configs"]}
UNGUARDED: dict[str, str] = read(HERE / "unguarded.yml")


class Selected(NamedTuple):
    """A metric in an expression."""

    name: str
    matchers: list[tuple[str, list[str]]]
    """Label and the values that it is compared with."""


def selected(expression: str) -> list[Selected]:
    """Return every metric that an expression names."""
    return [
        Selected(name, [(label, value.split("|")) for label, _, value in MATCHER.findall(inside)])
        for name, inside in NAMES.findall(expression)
    ]


def known_metrics() -> dict[str, dict[str, Any]]:
    """Return metric -> label -> its closed set of values, or the bound of an open one."""
    # Of its own: it is not everywhere that the rules are.
    catalogue = pytest.importorskip("schema.ops.metrics.catalogue").catalogue
    metrics: dict[str, dict[str, Any]] = {"up": {}}
    for family in new_registry().collect():
        metrics |= {sample.name: {} for sample in family.samples}
    for metric in chain.from_iterable(catalogue().values()):
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        for name in (metric.name + ending for ending in endings):
            labels = metrics.setdefault(name, {"le": ()} if name.endswith("_bucket") else {})
            for label, values in metric.labels.items():
                both = isinstance(labels.get(label), tuple) and isinstance(values, tuple)
                labels[label] = (*labels[label], *values) if both else values  # of two processes
    return metrics


def fits(label: str, value: str, known: Any) -> bool:
    """Tell whether a label can have a value."""
    if label == "job":
        return any(re.fullmatch(value, job) for job in JOBS)
    if label == "route":
        return value in PATHS
    return isinstance(known, tuple) and value in known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_and_label_that_a_rule_names_exists(rule: dict[str, Any]) -> None:
    """A misspelt one would be silent for ever: no rule fires for what is not there."""
    metrics = known_metrics()
    labels = OF_THE_TARGET.copy()
    for name, matchers in selected(rule["expr"]):
        if name in RECORDED:
            assert not matchers
            continue
        assert name in metrics
        labels |= metrics[name].keys()
        for label, values in matchers:
            assert label in metrics[name].keys() | OF_THE_TARGET
            if label != "le":
                known = metrics[name].get(label)
                assert [value for value in values if not fits(label, value, known)] == []
    grouped = {name.strip() for each in GROUPING.findall(rule["expr"]) for name in each.split(",")}
    if not any(name in RECORDED for name, _ in selected(rule["expr"])):
        assert grouped <= labels


def test_the_objective_of_freshness_is_the_bound_of_a_bucket() -> None:
    """Anything else than a bucket's bound, as it is written, would count nothing."""
    registry = CollectorRegistry()
    WorkerMetrics(registry).freshness_seconds.observe(1)
    bounds = re.findall(
        r'freshness_seconds_bucket\{le="([^"]+)"', generate_latest(registry).decode()
    )

    assert {"5.0"} == {
        value
        for rule in RULES
        for _, matchers in selected(rule["expr"])
        for label, values in matchers
        for value in values
        if label == "le"
    }
    assert "5.0" in bounds


def test_what_waits_on_purpose_is_no_lag() -> None:
    """Of the topics, lag is looked at where workers read first, and only there."""
    (lag,) = selected(ALERTS["ClerkworkLagOld"]["expr"])

    assert dict(lag.matchers)["topic"] == [topic.name for topic in SOURCES]


def test_dead_letters_are_told_of_before_kafka_forgets_them() -> None:
    """An alert after the retention would come too late."""
    days = int(re.findall(r"> (\d+) \* 86400", ALERTS["ClerkworkDeadLettersExpire"]["expr"])[0])

    assert {topic.retention_days for topic in DEAD_LETTER_TOPICS} == {90}
    assert days <= 90 - 14


def test_memory_is_told_of_before_the_container_ends() -> None:
    """The threshold is below what a container may take."""
    limit = read(ROOT / "docker-compose.yml")["x-service"]["mem_limit"]
    (threshold,) = re.findall(r"> (\S+)", ALERTS["ClerkworkMemoryHigh"]["expr"])

    assert limit == "256m"
    assert float(threshold) < 0.9 * 256 * 1024 * 1024


@pytest.mark.parametrize(("name", "alert"), ALERTS.items())
def test_every_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do(
    name: str, alert: dict[str, Any]
) -> None:
    """Whoever is woken reads nothing else first."""
    told = alert["annotations"]

    assert re.fullmatch(r"Clerkwork([A-Z][a-z]+)+", name)
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert "for" in alert
    assert told["summary"]
    assert told["description"].endswith((".", "?", "`."))
    assert told["runbook_url"] == f"deploy/docs/runbook.md#{name.lower()}"
    assert len(told.keys() & {"promise", "objective", "resource"}) == 1


@pytest.mark.skipif(not RUNBOOK.exists(), reason="there is no runbook yet")
def test_every_alert_has_its_section_in_the_runbook() -> None:
    """The link leads to a heading: `## ClerkworkNotFresh` is `#clerkworknotfresh`."""
    headings = re.findall(r"^## (Clerkwork\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)

    assert sorted(ALERTS) == sorted(headings)


def test_every_promise_of_the_readme_has_an_alert_or_a_reason_why_not() -> None:
    """A promise that nobody watches is a wish."""
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.partition("| promise | mechanism | tests |\n")[2].partition("\n\n")[0]
    promises = {row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()[1:]}
    guarded = {alert["annotations"].get("promise") for alert in ALERTS.values()} - {None}

    assert promises == guarded | UNGUARDED.keys()
    assert not guarded & UNGUARDED.keys()
    named = set(re.findall(r"Clerkwork[A-Z]\w+", " ".join(UNGUARDED.values())))
    assert named <= ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_to_be_silent_to_fire_and_to_clear(name: str) -> None:
    """In this order, in one life of the series."""
    lives: dict[str, list[bool]] = {}
    for _, alert, fires, life in sorted(TESTS):
        if alert == name:
            lives.setdefault(life, []).append(fires)

    assert any(life[0] is False and True in life and life[-1] is False for life in lives.values())


def test_the_places_of_all_processes_are_their_defaults() -> None:
    """Whoever changes no setting has nothing to change here either."""
    ports = {
        "ingest": IngestSettings.model_fields["ingest_port"],
        "api": ApiSettings.model_fields["api_port"],
        "desk": BrowserDeskSettings.model_fields["desk_port"],
        "worker": WorkerSettings.model_fields["worker_metrics_port"],
        "relay": RelaySettings.model_fields["relay_metrics_port"],
        "canary": CanarySettings.model_fields["canary_metrics_port"],
        "reconcile": ReconcileSettings.model_fields["reconcile_metrics_port"],
    }

    assert {name: job["static_configs"][0]["targets"] for name, job in JOBS.items()} == {
        f"clerkwork-{name}": [f"127.0.0.1:{field.default}"] for name, field in ports.items()
    }
