"""Present what a process tells in its metrics. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.desk.models.frame import Fact
from deploy.desk.models.pipeline import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.desk.find.targets import Samples
    from deploy.desk.models.frame import State

_TROUBLES: Final[Mapping[str, str]] = {
    "clerkwork_breaker_open": "does not ask",
    "clerkwork_worker_waiting": "waits for",
    "clerkwork_line_stopped": "line stopped",
}
"""Gauge -> what is the matter where it is not 0."""
_SHOWN: Final[Mapping[str, str]] = {
    "clerkwork_build_info": "version",
    "process_resident_memory_bytes": "memory",
}


def present_target(name: str, samples: Samples | None) -> Target:
    """Return how a process is; None for one that does not answer."""
    if samples is None:
        return Target(name=name, state="stopped", word="does not answer", facts=())
    troubles = [
        f"{word} {', '.join(map(str, sample.labels.values()))}".strip()
        for metric, word in _TROUBLES.items()
        for sample in samples.get(metric, ())
        if sample.value
    ]
    state: State = "slow" if troubles else "good"
    return Target(
        name=name,
        state=state,
        word="; ".join(troubles[:3]) or "answers",
        facts=tuple(_facts(samples)),
    )


def _facts(samples: Samples) -> list[Fact]:
    said = {word: samples[metric][0] for metric, word in _SHOWN.items() if samples.get(metric)}
    facts = []
    if "version" in said:
        facts.append(Fact(name="version", value=said["version"].labels.get("version", "")))
    if "memory" in said:
        facts.append(Fact(name="memory", value=f"{said['memory'].value / 2**20:.0f} MB"))
    return facts
