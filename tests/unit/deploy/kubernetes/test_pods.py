"""Pods: what they may do, what they need, how they are replaced, and that all is wired."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from schema.http.serving.serve import DRAIN_S
from tests.manifests import KUBERNETES
from workers.subscribe import GRACE_S

if TYPE_CHECKING:
    from tests.manifests import Manifests, Object

IMAGE = KUBERNETES.parent / "Dockerfile"
STAYING = ("ingest", "worker", "relay", "api", "canary", "desk")
DOORS = ("ingest", "api", "desk")
ROLLING = tuple(name for name in STAYING if name != "canary")


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Tell whether a label selector matches these labels."""
    wanted = selector.get("matchLabels", {}).items()
    among = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in among)
    return wanted <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in among
    )


def mebibytes(quantity: str) -> int:
    """Return the number in a quantity such as `256Mi`."""
    assert quantity.endswith("Mi")
    return int(quantity.removesuffix("Mi"))


def test_pods_have_little_to_misuse(manifests: Manifests) -> None:
    """What the Pod Security Standard `restricted` asks for, which is enforced, and more."""
    (user, group), *_ = re.findall(r"^USER (\d+):(\d+)$", IMAGE.read_text("utf-8"), re.MULTILINE)
    (namespace,) = manifests.of_kind("Namespace").values()

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pods in manifests.pods.values():
        assert pods.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(group),
            "fsGroup": int(group),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pods.container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(pods.spec)
        for volume in pods.spec["volumes"]:
            assert volume.keys() & {"projected", "configMap", "emptyDir"}


def test_pods_are_nobody_to_kubernetes(manifests: Manifests) -> None:
    """Each has an account of its own, without a token, and without rights."""
    accounts = manifests.of_kind("ServiceAccount")

    assert accounts.keys() == manifests.pods.keys()
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    assert not manifests.of_kind("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    for name, pods in manifests.pods.items():
        assert pods.spec["serviceAccountName"] == name
        assert pods.spec["automountServiceAccountToken"] is False


def test_pods_say_what_they_need(manifests: Manifests) -> None:
    """CPU time and memory, and of memory no more than a bound."""
    for pods in manifests.pods.values():
        resources = pods.container["resources"]
        asked, most = resources["requests"]["memory"], resources["limits"]["memory"]

        assert resources["requests"]["cpu"]
        assert mebibytes(asked) < mebibytes(most)


def test_what_is_mounted_is_there(manifests: Manifests) -> None:
    """Each mount has its volume, /tmp can be written, and all else cannot."""
    for pods in manifests.pods.values():
        volumes = {each["name"]: each for each in pods.spec["volumes"]}
        mounts = {each["name"]: each for each in pods.container["volumeMounts"]}
        writable = {name for name, each in mounts.items() if not each.get("readOnly")}

        assert volumes.keys() == mounts.keys()
        assert writable == {"tmp"}
        assert volumes["tmp"]["emptyDir"]["sizeLimit"]


def test_files_that_are_named_are_mounted(manifests: Manifests) -> None:
    """Whose certificates are believed, lies where the settings say."""
    for name, pods in manifests.pods.items():
        (place,) = (
            each["mountPath"]
            for each in pods.container["volumeMounts"]
            if each["name"] == "authorities"
        )
        file = manifests.settings_of(name).get("KAFKA_SSL_CAFILE")

        assert file is None or file.startswith(f"{place}/")


@pytest.mark.parametrize("process", STAYING)
def test_a_stop_waits_for_the_drain(process: str, manifests: Manifests) -> None:
    """SIGKILL comes after it, and SIGTERM reaches a process that is not PID 1."""
    pods = manifests.pods[process]
    away = float(manifests.settings_of(process).get("HTTP_DRAIN_S", 0))

    assert pods.spec["terminationGracePeriodSeconds"] > max(away + DRAIN_S, GRACE_S)
    assert pods.spec["shareProcessNamespace"] is True


@pytest.mark.parametrize("process", DOORS)
def test_doors_stay_open_until_nobody_comes(process: str, manifests: Manifests) -> None:
    """They serve on for longer than it takes until a probe has told that they are leaving."""
    probe = manifests.pods[process].container["readinessProbe"]
    away = float(manifests.settings_of(process)["HTTP_DRAIN_S"])

    assert away >= probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize("process", ROLLING)
def test_nobody_leaves_before_another_is_ready(process: str, manifests: Manifests) -> None:
    """One more first, then one less."""
    strategy = manifests.pods[process].owner["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_of_one_name_there_is_one_canary(manifests: Manifests) -> None:
    """It leaves before another comes."""
    canary = manifests.pods["canary"].owner["spec"]

    assert canary["replicas"] == 1
    assert canary["strategy"] == {"type": "Recreate"}


def test_selectors_find_their_pods_and_no_others(manifests: Manifests) -> None:
    """Deployments, Services and disruption budgets each mean the process they are named after."""
    for owner in manifests.of_kind("Deployment", "PodDisruptionBudget").values():
        selector = owner["spec"]["selector"]
        found = {name for name, each in manifests.pods.items() if selects(selector, each.labels)}
        assert found == {owner["metadata"]["name"]}
    for name, service in manifests.of_kind("Service").items():
        selector = {"matchLabels": service["spec"]["selector"]}
        found = {other for other, each in manifests.pods.items() if selects(selector, each.labels)}
        (port,) = service["spec"]["ports"]
        (listens,) = manifests.pods[name].container["ports"]
        assert found == {name}
        assert (port["targetPort"], port["port"]) == (listens["name"], listens["containerPort"])


def test_nodes_can_be_emptied(manifests: Manifests) -> None:
    """Of every process that stays at most one pod is evicted at a time, and one always may be."""
    budgets = manifests.of_kind("PodDisruptionBudget")

    assert budgets.keys() == set(STAYING)
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("process", STAYING)
def test_pods_of_a_process_are_spread(process: str, manifests: Manifests) -> None:
    """Over zones and nodes, those of one version among themselves."""
    pods = manifests.pods[process]

    assert [each["topologyKey"] for each in pods.spec["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for each in pods.spec["topologySpreadConstraints"]:
        assert selects(each["labelSelector"], pods.labels)
        assert each["matchLabelKeys"] == ["app.kubernetes.io/name", "pod-template-hash"]


def test_preparing_is_a_step_of_its_own(manifests: Manifests) -> None:
    """`-l step=prepare` has the two Jobs with all that they need, and nothing that stays."""
    prepared = [
        each
        for each in manifests.objects
        if each["metadata"].get("labels", {}).get("step") == "prepare"
    ]
    names = {(each["kind"], each["metadata"]["name"]) for each in prepared}
    maps = manifests.of_kind("ConfigMap")

    assert {each for each in names if each[0] == "Job"} == {("Job", "migrate"), ("Job", "topics")}
    assert ("Namespace", "clerkwork") in names
    assert {("NetworkPolicy", name) for name in manifests.of_kind("NetworkPolicy")} <= names
    assert {("ConfigMap", name) for name in maps} <= names
    assert {("ServiceAccount", "migrate"), ("ServiceAccount", "topics")} <= names
    assert not {"Deployment", "CronJob"} & {kind for kind, _ in names}


def test_images_are_one_and_named_by_version(manifests: Manifests) -> None:
    """All processes run the same, and never whatever is the latest."""
    (image,) = {pods.container["image"] for pods in manifests.pods.values()}

    assert re.fullmatch(r"(registry\.example\.com/)?clerkwork:(local|\d+\.\d+\.\d+)", image)


def test_jobs_made_by_the_clock_do_not_pile_up(manifests: Manifests) -> None:
    """One at a time, and each ends, or is ended before the next but one is due."""
    for job in manifests.of_kind("CronJob").values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
