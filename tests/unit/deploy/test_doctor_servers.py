"""The doctor's verdicts on servers and groups, each with a fix that can be typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from deploy.doctor.access import judge_access
from deploy.doctor.broker import find_clock, find_version, judge_disks, judge_version
from deploy.doctor.groups import OTHERS, Standing, judge_group, judge_others
from deploy.doctor.limits import find_limits, judge_limits
from deploy.doctor.processes import PLACES, judge_process
from deploy.doctor.redis import judge_redis
from deploy.doctor.server import (
    LAST,
    find_free,
    judge_age,
    judge_connections,
    judge_settings,
    judge_size,
    judge_slots,
    judge_statistics,
)
from deploy.rights.topics import NEEDS, Right

if TYPE_CHECKING:
    from deploy.doctor.verdict import Verdict

SAFE: Final = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
WRITE: Final = Right(operation="Write", kind="topic", name="user.changes")
READ: Final = Right(operation="Read", kind="group", name="g")
SLOT: Final = {"name": "s", "active": True, "wal_status": "reserved", "held": 5_000_000}


def _others(**of_desk: float) -> Verdict:
    groups = {name: Standing(members=1, waiting=0) for name in OTHERS}
    groups["clerkwork.desk"] = Standing(**{"members": 1, "waiting": 3, **of_desk})  # type: ignore[arg-type]  # whole numbers where they must be
    return judge_others(groups)


def _limits(**settings: str) -> Verdict:
    return judge_limits(find_limits("t", {k.replace("_", "."): v for k, v in settings.items()}))


@pytest.mark.parametrize(
    ("verdict", "status", "found", "fix"),
    [
        (judge_version("4.1"), "ok", "Kafka 4.1 or newer", None),
        (judge_version("3.9"), "warning", "older than 4.0", "Kafka 4.0"),
        (judge_version(None), "wrong", "older than 2.3", "Kafka 4.0"),
        (judge_disks([0.5, 0.3], ours=2_000_000, failed=0), "ok", "2.0 MB, 30% of", None),
        (judge_disks([0.5, 0.1], ours=0, failed=0), "warning", "10% of", "kafka-log-dirs.sh"),
        (judge_disks([0.01], ours=0, failed=0), "wrong", "1% of", "kafka-log-dirs.sh"),
        (judge_disks([0.5], ours=0, failed=1), "wrong", "1 of Kafka's log", "log of the broker"),
        (judge_disks([], ours=0, failed=0), "skipped", "not told", None),
        (_limits(), "ok", "528 KiB fit", None),
        (_limits(max_message_bytes="1048588"), "ok", "528 KiB fit", None),
        (
            _limits(max_message_bytes="1000"),
            *("wrong", "t: max.message.bytes is 1000", "--add-config max.message.bytes=1048576"),
        ),
        (_limits(retention_bytes="9"), "warning", "retention.bytes is 9", "retention.bytes=-1"),
        (
            judge_group(Standing(members=1, waiting=5, oldest_s=90)),
            *("warning", "5 wait, the oldest for 90 s", "/readyz"),
        ),
        (
            judge_group(Standing(members=1, waiting=5, lost=7)),
            "wrong",
            "7 records were",
            "reconcile",
        ),
        (_others(), "ok", "4 consumed, 3 wait", None),
        (_others(members=0), "wrong", "Nobody consumes for clerkwork.desk", "clerkwork worker"),
        (_others(oldest_s=61), "warning", "clerkwork.desk (3 wait, the oldest", "/readyz"),
        (judge_access({"a": [], "b": []}, user="u"), "ok", "a, b have all", None),
        (
            judge_access({"a": [], "b": [READ]}, user="u"),
            *("warning", "As u b lacks Read group g", "--operation Read --group g if the b runs"),
        ),
        (
            judge_access({"a": [READ, WRITE], "b": [WRITE]}, user="u"),
            *("wrong", "a lacks Read group g, Write topic", "User:u --operation Write --topic us"),
        ),
        (judge_settings(SAFE), "ok", "fsync on", None),
        (judge_settings(SAFE | {"standby": "true"}), "wrong", "a standby", "primary"),
        (judge_settings(SAFE | {"fsync": "off"}), "wrong", "fsync off", "SET fsync = on"),
        (judge_settings({"synchronous_commit": "off"}), "wrong", "loses", "synchronous_commit ="),
        (judge_settings(SAFE | {"autovacuum": "off"}), "warning", "autovacuum off", "autovacuum ="),
        (judge_connections(used=5, most=97), "ok", "5 of 97", None),
        (judge_connections(used=90, most=97), "warning", "90 of 97", "max_connections"),
        (judge_age(age=3_000_000, due=200_000_000), "ok", "3 million", None),
        (judge_age(age=400_000_000, due=200_000_000), "warning", "begins at 200", "FREEZE"),
        (judge_age(age=LAST + 1, due=200_000_000), "wrong", "no writes", "FREEZE"),
        (judge_statistics([]), "ok", "as new", None),
        (judge_statistics(["users"]), "warning", "old for users", "ANALYZE users;"),
        (judge_slots([]), "ok", "none", None),
        (judge_slots([SLOT]), "ok", "1, all read", None),
        (judge_slots([SLOT | {"active": False}]), "warning", "s holds 5 MB", "slot('s')"),
        (judge_slots([SLOT | {"held": 1 << 40}]), "warning", "s holds 1099512 MB", "slot('s')"),
        (judge_slots([SLOT | {"wal_status": "lost"}]), "wrong", "is lost", "new slot"),
        (judge_size(9_000_000, free=0.5), "ok", "9.0 MB, 50% of its disk is free", None),
        (judge_size(9_000_000, free=0.1), "warning", "10% of its", "larger disk"),
        (judge_size(9_000_000, free=0.01), "wrong", "1% of its", "larger disk"),
        (judge_size(9_000_000, free=None), "skipped", "not told", "df -h"),
        (judge_process({}, {}, place=PLACES["worker"]), "ok", "ready", None),
        (
            judge_process({"commits": "no", "loop": "ok"}, {}, place=PLACES["worker"]),
            *("wrong", "anew: commits: no.", "Start clerkwork worker again"),
        ),
        (
            judge_process({}, {"kafka": "away"}, place=PLACES["API"]),
            *("wrong", "Not ready: kafka: away", "curl -s http://127.0.0.1:8081/readyz"),
        ),
        (judge_redis({"redis_version": "8"}), "ok", "Redis 8", None),
        (
            judge_redis(
                {
                    "redis_version": "8",
                    "maxmemory": 10,
                    "used_memory": 10,
                    "maxmemory_policy": "noeviction",
                }
            ),
            *("warning", "is full", "volatile-ttl"),
        ),
    ],
)
def test_every_verdict_says_what_to_do(
    verdict: Verdict, status: str, found: str, fix: str | None
) -> None:
    """What was found is named; whatever is not as it should be comes with a fix."""
    assert verdict.status == status
    assert found in verdict.found
    assert (fix in (verdict.fix or "")) if fix else verdict.fix is None


def test_a_version_is_told_by_what_came_with_it() -> None:
    """The newest sign counts; without any it is older than all."""
    assert find_version({1: 18, 3: 13}) == "4.1"
    assert find_version({1: 17, 3: 12}) == "3.9"
    assert find_version({1: 4}) is None


def test_a_clock_is_told_by_who_leads() -> None:
    """The others have heard something earlier; without a leader nobody tells."""
    voters = [(1, 9, 1000, 0), (2, 9, 2000, 0)]

    assert find_clock([("m", [(0, 0, 2, 1, 9, voters, [], {})], {})]) == 2000
    assert find_clock([("m", [(0, 0, -1, 1, 9, voters, [], {})], {})]) == -1


def test_nobody_sees_the_disk_of_a_directory_that_is_elsewhere() -> None:
    """Of one that is here, a share is free."""
    assert find_free("/nowhere/at/all") is None
    assert 0 <= (find_free("/") or 0) <= 1


def test_every_process_needs_something() -> None:
    """And nobody needs what no process does."""
    assert all(NEEDS.values())
    assert Right(operation="Write", kind="topic", name="user.changes") not in NEEDS["worker"]
