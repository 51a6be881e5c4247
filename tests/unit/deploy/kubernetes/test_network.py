"""Who may talk to whom in a cluster: what a process needs, and nothing besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.manifests import overlay

if TYPE_CHECKING:
    from tests.manifests import Manifests, Object

NEEDS = {
    "reaches-kafka": {"kafka"},
    "reaches-clerk": {"CLERK_JWKS_URL", "CLERK_SECRET_KEY"},
    "reaches-postgres": {"DATABASE_URL"},
    "reaches-doors": {"CANARY_INGEST_URL", "DESK_TARGETS"},
}
"""Label -> the variables one of which is why; for Kafka, that its settings are given."""


def policy(name: str) -> Object:
    """Return the specification of a policy of production."""
    spec: Object = overlay("production").of_kind("NetworkPolicy")[name]["spec"]
    return spec


def test_what_is_not_allowed_is_refused(manifests: Manifests) -> None:
    """One policy is of all pods and both directions, and allows nothing."""
    spec = manifests.of_kind("NetworkPolicy")["refuse-all-else"]["spec"]

    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_pods_reach_what_their_settings_name(manifests: Manifests) -> None:
    """A label for Kafka, PostgreSQL, Clerk and the doors exactly where they are used."""
    for name, pods in manifests.pods.items():
        given = manifests.settings_of(name).keys() | manifests.secrets_of(name).keys()
        if "KAFKA_BOOTSTRAP_SERVERS" in given:
            given |= {"kafka"}
        expected = {label for label, why in NEEDS.items() if why & given}
        if name == "console":
            expected.add("reaches-doors")  # the doctor asks them how they are

        assert {label for label in pods.labels if label.startswith("reaches-")} == expected


def test_ingest_has_no_database_and_the_api_no_kafka() -> None:
    """What is open to the outside holds the least."""
    pods = overlay("production").pods

    assert "reaches-postgres" not in pods["ingest"].labels
    assert "reaches-kafka" not in pods["api"].labels
    assert "reaches-clerk" not in pods["worker"].labels


def test_every_label_has_its_policy(manifests: Manifests) -> None:
    """What a label promises, a policy of that name allows."""
    policies = manifests.of_kind("NetworkPolicy")

    for label in NEEDS:
        assert policies[label]["spec"]["podSelector"] == {"matchLabels": {label: "true"}}
        assert policies[label]["spec"]["policyTypes"] == ["Egress"]


@pytest.mark.parametrize("name", ["reaches-kafka", "reaches-postgres"])
def test_servers_are_named_in_production(name: str) -> None:
    """Nobody reaches any host of the world on PostgreSQL's port."""
    (rule,) = policy(name)["egress"]

    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    assert rule["ports"]


def test_doors_are_open_to_namespaces_that_say_so() -> None:
    """And to the canary and the desk; on their own port alone."""
    (rule,) = policy("doors")["ingress"]
    namespaces, pods = rule["from"]

    assert namespaces == {"namespaceSelector": {"matchLabels": {"calls-clerkwork": "true"}}}
    assert pods == {"podSelector": {"matchLabels": {"reaches-doors": "true"}}}
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]


def test_the_doors_are_where_they_listen() -> None:
    """Who reaches a door by its number reaches the port that it listens on."""
    rules = {
        rule["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]: rule["ports"]
        for rule in policy("reaches-doors")["egress"]
    }

    assert rules.keys() == {"ingest", "api"}
    for name, ports in rules.items():
        (listens,) = overlay("production").pods[name].container["ports"]
        assert ports == [{"protocol": "TCP", "port": listens["containerPort"]}]


def test_the_outside_sees_no_probes() -> None:
    """An Ingress leads to webhooks and to the API, not to /metrics."""
    paths = [
        path["path"]
        for each in overlay("production").of_kind("Ingress").values()
        for rule in each["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]

    assert sorted(paths) == ["/v1", "/webhooks/clerk"]
