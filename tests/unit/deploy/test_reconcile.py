"""What is made of what a comparison has found: numbers, words, exit codes, metrics."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from rich.console import Console

from deploy.reconcile.confirm import Ceiling
from deploy.reconcile.drift import ADVICE, MENDABLE, Drift, ExitCode, Refusal, Report, Share
from deploy.reconcile.measure import measure, write_metrics
from deploy.reconcile.sample import estimate
from deploy.reconcile.show import MOST_SHOWN, show, show_json
from schema.ops.metrics import DRIFT_KINDS, ReconcileMetrics

if TYPE_CHECKING:
    from pathlib import Path


def _drift(kind: str = "missing", *, found: int = 3, mended: int = 0, **fields: Any) -> Drift:
    ids = tuple(f"user_{number}" for number in range(found - mended or found))
    known: dict[str, Any] = {"resource": "users", "held": 0, "ids": ids}
    return Drift(kind=kind, found=found, mended=mended, **known | fields)


CLEAN = Report(mode="full", seconds=2.0, checked={"users": 5})
REFUSAL = Refusal(resource="users", candidates=70, confirmed=6, allowed=5)


@pytest.mark.parametrize(
    ("living", "per_cent", "allowed"),
    [(1000, 5, 50), (1000, 0, 1), (10, 5, 1), (1, 5, 0), (0, 5, 0), (100, 100, 99), (19, 50, 9)],
)
def test_never_all_may_be_deleted(living: int, per_cent: float, allowed: int) -> None:
    """One always may, or an instance of ten could not lose anybody; all only by force."""
    assert Ceiling(per_cent=per_cent, force=False).allows(living) == allowed
    assert Ceiling(per_cent=per_cent, force=True).allows(living) == living


def test_the_exit_code_tells_cron() -> None:
    """What is mended is no drift any more; what was refused is worse than drift."""
    assert CLEAN.exit_code == ExitCode.CLEAN
    assert replace(CLEAN, drifts=(_drift(),)).exit_code == ExitCode.DRIFT
    assert replace(CLEAN, drifts=(_drift(mended=2),)).exit_code == ExitCode.DRIFT
    assert replace(CLEAN, drifts=(_drift(mended=3),)).exit_code == ExitCode.CLEAN
    assert replace(CLEAN, drifts=(_drift(),), behind=4).exit_code == ExitCode.UNFINISHED
    assert replace(CLEAN, refusals=(REFUSAL,)).exit_code == ExitCode.UNFINISHED


def test_every_kind_is_mended_or_explained() -> None:
    """Whoever finds drift must know what to do."""
    kinds = {kind for kinds in DRIFT_KINDS.values() for kind in kinds}

    assert kinds == MENDABLE | ADVICE.keys()


@pytest.mark.parametrize(
    ("drifted", "sampled", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilsons_interval(drifted: int, sampled: int, low: float, high: float) -> None:
    """The last are the figures of Newcombe, Statistics in Medicine 17 (1998), table I."""
    share = estimate(drifted, sampled, of=10_000)

    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


@given(st.data())
def test_an_estimate_contains_what_was_seen(data: st.DataObject) -> None:
    """And lies between none and all; of all, nothing is left to chance."""
    of = data.draw(st.integers(0, 10_000))
    sampled = data.draw(st.integers(0, of))
    drifted = data.draw(st.integers(0, sampled))
    share = estimate(drifted, sampled, of=of)
    seen = drifted / sampled if sampled else 0.0

    assert 0 <= share.low <= seen + 1e-12
    assert seen - 1e-12 <= share.high <= 1
    if sampled == of:
        assert share.low == share.high


def _said(report: Report) -> str:
    said = io.StringIO()
    show(report, Console(file=said, soft_wrap=True, highlight=False, width=100))
    return said.getvalue()


def test_people_are_told_what_and_whom_and_what_to_do() -> None:
    """Some ids, and how many more; advice where repairing does not help."""
    held = _drift("deleted_here", found=2, held=1)
    many = _drift("stale", found=MOST_SHOWN + 7)
    said = _said(
        replace(
            CLEAN,
            mode="incremental",
            drifts=(many, held, _drift("missing", mended=3)),
            refusals=(REFUSAL,),
            behind=8,
            unreadable={"users": 2, "organizations": 0},
            shares={"clerk": Share(sampled=50, drifted=5, of=1000, low=0.043, high=0.214)},
            users_at_clerk=9,
            users_here=10,
        )
    )

    assert "user_19 and 7 more" in said
    assert "user_20" not in said
    assert "(1 held back)" in said
    assert "clerkwork restore" in said
    assert "clerkwork rebuild" not in said
    assert "users missing, mended: user_0, user_1, user_2" in said
    assert "Clerk does not name 70 users" in said
    assert "8 records" in said
    assert "2 users of Clerk's cannot be kept" in said
    assert "43 to 214" in said
    assert "Clerk counts 9 users, here are 10" in said
    assert "5 users compared in 2.0 s: 32 differ, 29 left." in said


def test_a_full_run_sends_nobody_to_a_full_run() -> None:
    """It has told who differs; only the others are to be followed by one."""
    differing = replace(CLEAN, users_at_clerk=9, users_here=10)

    assert "a full run" not in _said(differing)
    assert "a full run tells who" in _said(replace(differing, mode="sample"))


def test_machines_are_told_everything() -> None:
    """All ids, in a line."""
    said = io.StringIO()
    report = replace(CLEAN, drifts=(_drift(found=100),))
    show_json(report, Console(file=said, soft_wrap=True, width=20))
    told = json.loads(said.getvalue())

    assert said.getvalue().count("\n") == 1
    assert len(told["drifts"][0]["ids"]) == 100
    assert (told["left"], told["exit_code"], told["mode"]) == (100, 1, "full")


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_gauges_tell_of_the_kinds_that_were_looked_for() -> None:
    """An incremental run says nothing of deletions, a sample of nothing; what is mended is gone."""
    registry = CollectorRegistry()
    metrics = ReconcileMetrics(registry)
    deleted = _drift("deleted_upstream", found=4)
    drifting = (_drift(found=3, mended=1), deleted)
    measure(replace(CLEAN, drifts=drifting), metrics)
    measure(replace(CLEAN, mode="sample", drifts=(_drift(found=9),)), metrics)
    first = _value(registry, "clerkwork_drift", resource="users", kind="missing")
    measure(replace(CLEAN, mode="incremental"), metrics)
    second = _value(registry, "clerkwork_drift", resource="users", kind="missing")
    kept = _value(registry, "clerkwork_drift", resource="users", kind="deleted_upstream")
    finished = _value(registry, "clerkwork_reconcile_finished_timestamp_seconds")
    measure(replace(CLEAN, refusals=(REFUSAL,)), metrics)

    assert (first, second, kept) == (2, 0, 4)
    assert _value(registry, "clerkwork_reconcile_checked_total", resource="users") == 20
    assert _value(registry, "clerkwork_reconcile_found_total", resource="users") == 16
    outcomes = {
        each: _value(registry, "clerkwork_reconcile_runs_total", outcome=each)
        for each in ("clean", "drift", "unfinished")
    }
    assert outcomes == {"clean": 1, "drift": 2, "unfinished": 1}
    assert finished == _value(registry, "clerkwork_reconcile_finished_timestamp_seconds")


def test_a_file_of_metrics_is_written_wholly(tmp_path: Path) -> None:
    """With every series, those at 0 too, and in the place of an older one."""
    place = tmp_path / "reconcile.prom"
    place.write_text("old")
    write_metrics(replace(CLEAN, drifts=(_drift(),)), place)
    text = place.read_text(encoding="utf-8")

    assert 'clerkwork_drift{kind="missing",resource="users"} 3.0' in text
    assert 'clerkwork_drift{kind="orphaned",resource="sessions"} 0.0' in text
    assert [path.name for path in tmp_path.iterdir()] == ["reconcile.prom"]
