"""Dashboards: what panels name exists, every alert is explained by one, all say what they show.

What their expressions come to, a real Prometheus says: tests/integration/deploy/prometheus.
"""

from __future__ import annotations

import json
import re
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from deploy.grafana.guards import GUARDS
from deploy.grafana.panel import Unit
from deploy.grafana.promises import PROMISES
from deploy.grafana.walk import WALK
from deploy.grafana.write import DASHBOARDS
from schema.ops.metrics import catalogue
from tests.unit.deploy.test_prometheus import (
    ALERTS,
    GROUPING,
    OF_THE_TARGET,
    RECORDED,
    RULES,
    fits,
    known_metrics,
    selected,
)

if TYPE_CHECKING:
    from deploy.grafana.panel import Limit, Panel

PANELS = [
    (f"{dashboard.uid} {row.title} {panel.title}", panel)
    for dashboard in (WALK, PROMISES)
    for row in dashboard.rows
    for panel in row.panels
]
EXPRESSIONS = [(name, *query) for name, panel in PANELS for query in panel.queries.items()]
FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in DASHBOARDS}
COMPARED = re.compile(r"([<>])=?\s*(\d[\d.e]*(?:\s*\*\s*\d[\d.e]*)*)\s*(?=$|\)|\band\b|\bor\b)")
DIVISOR = re.compile(r"/ ([\d.]+)$")


class Threshold(NamedTuple):
    """What an alert compares with."""

    below: bool
    value: float


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression groups by."""
    return {name.strip() for each in GROUPING.findall(expression) for name in each.split(",")}


def labels_of(name: str) -> set[str]:
    """Return the labels that a metric or a recorded series has."""
    if name in RECORDED:
        (rule,) = (rule for rule in RULES if rule.get("record") == name)
        return grouped(rule["expr"])
    return known_metrics()[name].keys() | OF_THE_TARGET


def values_of(name: str) -> dict[str, Any]:
    """Return label -> what it can say, looked up in the metric that a series is recorded from."""
    if name in RECORDED:
        (rule,) = (rule for rule in RULES if rule.get("record") == name)
        return {
            label: values
            for metric, _ in selected(rule["expr"])
            for label, values in known_metrics()[metric].items()
        }
    return known_metrics()[name]


@pytest.mark.parametrize(("panel", "legend", "expression"), EXPRESSIONS)
def test_every_metric_label_and_value_that_a_panel_names_exists(
    panel: str, legend: str, expression: str
) -> None:
    """A misspelt one would be an empty panel, which looks like all is well."""
    named = selected(expression)
    labels: set[str] = set()
    for name, matchers in named:
        assert name in RECORDED | known_metrics().keys(), panel
        labels |= labels_of(name)
        for label, values in matchers:
            assert label in labels_of(name)
            known = values_of(name).get(label)
            written = [value for value in values if value != "clerkwork-.*"]
            assert [value for value in written if not fits(label, value, known)] == []

    assert named or expression.startswith("sum(ALERTS{")
    assert grouped(expression) <= labels
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    assert shown <= (grouped(expression) or labels)


def test_every_alert_is_explained_by_a_panel() -> None:
    """Whoever was called finds a picture of it; and no panel leads to an alert that is gone."""
    named = {alert for _, panel in PANELS for alert in panel.linked}

    assert named == ALERTS.keys()


def thresholds(alert: str, divisor: float) -> set[Threshold]:
    """Return what an alert's expression compares with, and the bounds of buckets behind it."""
    found = {
        Threshold(sign == "<", prod(float(factor) for factor in number.split("*")) / divisor)
        for sign, number in COMPARED.findall(ALERTS[alert]["expr"])
    }
    for name, _ in selected(ALERTS[alert]["expr"]):
        for rule in RULES:
            if rule.get("record") == name:
                found |= {
                    Threshold(below=False, value=float(bound))
                    for bound in re.findall(r'le="([\d.]+)"', rule["expr"])
                }
    return found | {
        Threshold(below=False, value=float(value))
        for value in re.findall(r"== (\d+)", ALERTS[alert]["expr"])
    }


LIMITS = [(name, panel, limit) for name, panel in PANELS for limit in panel.limits if limit.alert]


@pytest.mark.parametrize(("name", "panel", "limit"), LIMITS)
def test_limits_are_those_of_the_alerts(name: str, panel: Panel, limit: Limit) -> None:
    """What a panel shows in red is what pages, and what it shows in orange is a ticket."""
    assert limit.alert, name
    rule = ALERTS[limit.alert]
    divisors = {float(found) for each in panel.queries.values() for found in DIVISOR.findall(each)}
    known = thresholds(limit.alert, next(iter(divisors), 1))

    assert any(
        each.below == limit.below and each.value == pytest.approx(limit.at) for each in known
    )
    assert rule["labels"]["severity"] == limit.severity


def test_a_limit_that_moved_is_found() -> None:
    """The comparison above can fail."""
    assert Threshold(below=False, value=61) not in thresholds("ClerkworkLagOld", 1)
    assert Threshold(below=False, value=60) in thresholds("ClerkworkLagOld", 1)


def test_promises_are_kept_by_the_alerts_that_guard_them() -> None:
    """Each alert says in the rules which promise it guards."""
    guards: dict[str, tuple[str, ...]] = {}
    for name, rule in ALERTS.items():
        if promise := rule["annotations"].get("promise"):
            guards[promise] = (*guards.get(promise, ()), name)

    assert guards == GUARDS


def test_what_should_not_be_stands_beside_what_was_looked_at() -> None:
    """Every pair of the catalogue, and nothing else, is shown as one."""
    pairs = {tuple(panel.queries.values()) for _, panel in PANELS if panel.kind == "pair"}
    expected = {
        tuple(f"ceil(sum(increase({name}[$__range])))" for name in (metric.name, metric.beside))
        for metrics in catalogue().values()
        for metric in metrics
        if metric.beside
    }

    assert expected
    assert pairs == expected


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_every_panel_says_what_it_shows(name: str, panel: Panel) -> None:
    """In a sentence, and in which unit."""
    assert panel.title, name
    assert panel.says.endswith(".")
    assert panel.unit in Unit
    assert panel.queries


@pytest.mark.parametrize("uid", FILES)
def test_a_dashboard_can_be_provisioned(uid: str) -> None:
    """Ids are unique, panels do not cover each other, and every one has all that it needs."""
    panels = FILES[uid]["panels"]
    shown = [panel for panel in panels if panel["type"] != "row"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert FILES[uid]["uid"] == uid
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(taken)) == len(taken)
    assert {x for x, _ in taken} == set(range(24))
    for panel in shown:
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        begins = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert begins[0] is None
        assert begins[1:] == sorted(begins[1:])
        for link in panel["links"]:
            alert = link["title"].removeprefix("Runbook: ")
            anchor = ALERTS[alert]["annotations"]["runbook_url"].partition("#")[2]
            assert link["url"] == f"${{runbook}}#{anchor}"


def test_dashboards_lead_to_each_other() -> None:
    """By uid, which no edit of a title breaks."""
    linked = {link["url"] for file in FILES.values() for link in file["links"]}

    assert linked == {f"/d/{uid}" for uid in FILES}
