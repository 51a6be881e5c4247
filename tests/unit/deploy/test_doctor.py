"""The doctor: each verdict and its fix, and the manners of the whole."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError
from rich.console import Console

from deploy.arrivals import Arrival
from deploy.clerk.find import Instance
from deploy.doctor import run
from deploy.doctor.ages import tell_age
from deploy.doctor.arrivals import judge_arrival
from deploy.doctor.environment import check_environment
from deploy.doctor.examine import Check, Finding, examine, explain, has_wrong
from deploy.doctor.groups import Standing, judge_group
from deploy.doctor.kafka import Replication, judge_brokers, judge_replication, judge_topics
from deploy.doctor.keys import check_public_keys, check_signing_secret, judge_clock
from deploy.doctor.keys import judge_instance as judge
from deploy.doctor.patient import AwayError
from deploy.doctor.postgres import (
    judge_checkpoints,
    judge_months,
    judge_relay,
    judge_revision,
    judge_server,
)
from deploy.doctor.show import show
from deploy.doctor.verdict import Status, Verdict, fine, warn, wrong
from deploy.partitions import Month
from deploy.stack.ports import free_port
from deploy.tokens import new_private_key, public_key
from deploy.topics import Difference
from ingest.settings import IngestSettings
from schema.kafka.topics import USER_EVENTS
from tests.factories import SECRET, ingest_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVELOPMENT = Instance(id="ins_1", environment_type="development")


def _partition(*, replicas: int = 3, in_sync: int = 3, least: int = 2, led: bool = True) -> Verdict:
    one = Replication(place="t/0", replicas=replicas, in_sync=in_sync, least=least, led=led)
    return judge_replication([one])


def _differs(setting: str) -> list[Difference]:
    return [Difference(topic=USER_EVENTS, setting=setting, found="1", declared="2")]


def _arrival(age: timedelta, *, took_s: float = 0.0) -> Arrival:
    stored = datetime.now(UTC) - age
    return Arrival(
        event_id="msg_1",
        type="user.created",
        user_id=None,
        instance_id=None,
        stored_ms=int(stored.timestamp() * 1000),
        fault=None,
        occurred_ms=int((stored.timestamp() - took_s) * 1000),
    )


@pytest.mark.parametrize(
    ("verdict", "status", "found", "fix"),
    [
        (judge_brokers(1), "ok", "1 broker", None),
        (judge_topics([]), "ok", "as declared", None),
        (judge_topics(_differs("topic")), "wrong", "missing: clerk.user-events", "topics apply"),
        (judge_topics(_differs("partitions")), "warning", "is 1, not 2", "cannot be changed"),
        (_partition(), "ok", "3 replicas, min.insync.replicas 2", None),
        (_partition(replicas=1, in_sync=1, least=1), "warning", "1 replica,", "three replicas"),
        (_partition(least=1), "warning", "min.insync.replicas 1", "min.insync.replicas 2"),
        (_partition(in_sync=1), "wrong", "1 partitions cannot be written: t/0", "brokers back"),
        (_partition(led=False), "wrong", "cannot be written", "brokers back"),
        (judge_replication([]), "skipped", "no topics", None),
        (judge_group(Standing(members=2, waiting=5)), "ok", "2 members, 5 wait", None),
        (
            judge_group(Standing(members=0, waiting=5)),
            "wrong",
            "5 records wait",
            "clerkwork worker",
        ),
        (judge_group(Standing(members=1, waiting=20_000)), "warning", "20000 wait", "/readyz"),
        (judge_server(180_004, "18.4", zone="UTC"), "ok", "18.4, time zone UTC", None),
        (judge_server(170_009, "17.9", zone="UTC"), "wrong", "17.9", "PostgreSQL 18"),
        (judge_clock(2.0, of="Clerk's"), "ok", "2.0 s ahead of Clerk's", None),
        (judge_clock(-60.0, of="Clerk's"), "warning", "60.0 s behind Clerk's", "NTP"),
        (judge_clock(301.0, of="Clerk's"), "wrong", "webhooks are refused from 300 s", "NTP"),
        (judge_revision("0002", ["0001", "0002"]), "ok", "0002, the newest", None),
        (judge_revision("0001", ["0001", "0002"]), "wrong", "newest is 0002", "clerkwork migrate"),
        (judge_revision(None, ["0001", "0002"]), "wrong", "at none", "clerkwork migrate"),
        (judge_revision("0009", ["0001", "0002"]), "warning", "does not know", "version that runs"),
        (judge_checkpoints(timed=0, requested=9, room="1GB"), "ok", "0 checkpoints by time", None),
        (judge_checkpoints(timed=90, requested=80, room="1GB"), "ok", "90 checkpoints", None),
        (
            judge_checkpoints(timed=8, requested=80, room="1GB"),
            *("warning", "80 checkpoints were asked for", "max_wal_size, 1GB now"),
        ),
        (judge_months([]), "ok", "partitions until", None),
        (
            judge_months([Month(begins=datetime(2026, 1, 1, tzinfo=UTC), events=0)]),
            *("warning", "no partition for 2026-01", "clerkwork maintain"),
        ),
        (judge_relay(active=True, pending=0, lag_s=0), "ok", "active, 0 changes wait", None),
        (judge_relay(active=False, pending=3, lag_s=9), "wrong", "No relay is", "clerkwork relay"),
        (judge_relay(active=True, pending=3, lag_s=90), "warning", "the oldest for 90 s", "log"),
        (judge_arrival(_arrival(timedelta(minutes=5))), "ok", "user.created 5 min ago", None),
        (
            judge_arrival(_arrival(timedelta(minutes=5), took_s=7)),
            *("ok", "5 min ago, 7.0 s from Clerk", None),
        ),
        (
            judge_arrival(_arrival(timedelta(minutes=5), took_s=-90)),
            *("warning", "90.0 s before Clerk sent it", "NTP"),
        ),
        (judge_arrival(_arrival(timedelta(days=3))), "warning", "3 d ago", "it is enabled"),
        (judge_arrival(None), "warning", "none among", "clerkwork connect"),
        (judge(DEVELOPMENT, key="sk_test_1", expected=None), "ok", "ins_1, development", None),
        (
            judge(DEVELOPMENT, key="sk_live_1", expected=None),
            "warning",
            "sk_live_",
            "CLERK_API_URL",
        ),
        (judge(DEVELOPMENT, key="sk_test_1", expected="ins_2"), "wrong", "ins_2", "correct CLERK"),
        (judge(DEVELOPMENT, key="sk_live_1", expected="ins_2"), "wrong", "ins_2", "correct CLERK"),
    ],
)
def test_every_verdict_says_what_to_do(
    verdict: Verdict, status: str, found: str, fix: str | None
) -> None:
    """What was found is named; whatever is not as it should be comes with a fix."""
    assert verdict.status == status
    assert found in verdict.found
    assert (fix in (verdict.fix or "")) if fix else verdict.fix is None


@pytest.mark.parametrize(
    ("error", "status", "found"),
    [
        (AwayError("Kafka is not reached"), "skipped", "Kafka is not reached."),
        (asyncpg.UndefinedTableError("x"), "skipped", "lacks a table"),
        (asyncpg.InsufficientPrivilegeError("x"), "wrong", "does not let"),
        (KafkaConnectionError(), "wrong", "Refused: KafkaConnectionError."),
        (ZeroDivisionError(), "wrong", "The check itself has failed: ZeroDivisionError."),
    ],
)
async def test_a_check_that_fails_takes_no_other_down(
    error: Exception, status: str, found: str
) -> None:
    """Its verdict says why, and the next one is told as if nothing had been."""

    async def fail() -> Verdict:
        raise error

    async def succeed() -> Verdict:
        return fine("well")

    one, other = await examine([Check(name="a", look=fail), Check(name="b", look=succeed)])

    assert (one.verdict.status, other.verdict) == (status, fine("well"))
    assert found in one.verdict.found


async def test_a_check_that_hangs_is_given_up() -> None:
    """All are bounded, each by itself."""

    async def hang() -> Verdict:
        await asyncio.Event().wait()
        return fine("never")

    [found] = await examine([Check(name="a", look=hang)], bound_s=0.01)

    assert found.verdict.status is Status.WRONG
    assert "No answer" in found.verdict.found


def test_what_a_check_raised_is_never_quoted() -> None:
    """Messages of drivers can hold what nobody should read."""
    verdict = explain(RuntimeError("password"))

    assert "password" not in f"{verdict}"


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


async def test_settings_that_stop_a_process_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, its value is not; what is only unset may be set elsewhere."""
    _set(monkeypatch, **ingest_environment())
    good = await check_environment(IngestSettings)
    _set(monkeypatch, INGEST_PORT="seven-of-nine")
    bad = await check_environment(IngestSettings)
    monkeypatch.delenv("INGEST_PORT")
    monkeypatch.delenv("CLERK_WEBHOOK_SIGNING_SECRET")
    unset = await check_environment(IngestSettings)

    assert [good.status, bad.status, unset.status] == ["ok", "wrong", "skipped"]
    assert "INGEST_PORT" in bad.found
    assert "seven-of-nine" not in bad.found
    assert "CLERK_WEBHOOK_SIGNING_SECRET not set" in unset.found


async def test_both_sources_of_keys_at_once_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """What two variables make together is told by their names."""
    _set(monkeypatch, **ingest_environment())
    _set(monkeypatch, CLERK_JWT_KEY=public_key(new_private_key()))
    _set(monkeypatch, CLERK_JWKS_URL="https://clerk.example.com/.well-known/jwks.json")

    verdict = await check_environment(IngestSettings)

    assert verdict.status is Status.WRONG
    assert "CLERK_JWT_KEY" in verdict.found


@pytest.mark.parametrize(
    ("secret", "status"),
    [("", "skipped"), (SECRET, "ok"), (f"{SECRET}, whsec_short", "wrong"), ("sk_test_1", "wrong")],
)
async def test_signing_secrets_are_looked_at(
    secret: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, and none is shown."""
    _set(monkeypatch, CLERK_WEBHOOK_SIGNING_SECRET=secret)

    verdict = await check_signing_secret()

    assert verdict.status == status
    assert SECRET not in f"{verdict}"


async def test_a_pem_needs_nobody_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how strong it is."""
    _set(monkeypatch, CLERK_JWT_KEY=public_key(new_private_key()))

    assert await check_public_keys() == fine("an RSA key of 2048 bits, as PEM")


def test_without_any_environment_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing crashes, everything has a verdict, and the exit code is that of something wrong."""
    for variable in ("INGEST_PORT", "WORKER_METRICS_PORT", "RELAY_METRICS_PORT", "API_PORT"):
        _set(monkeypatch, **{variable: str(free_port())})
    code = run.run_doctor(Console(soft_wrap=True), as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert code == 1
    assert {each["check"] for each in told if each["status"] == "wrong"} == {"Kafka", "PostgreSQL"}
    assert {each["status"] for each in told} == {"wrong", "skipped"}
    assert {tuple(each) for each in told} == {("group", "status", "check", "found", "fix")}
    assert all(each["group"] for each in told)

    monkeypatch.setattr(run, "CHECKS", ())
    assert run.run_doctor(Console(), as_json=False) == 0


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([fine("a"), warn("b", "c")], False), ([fine("a"), wrong("b", "c")], True), ([], False)],
)
def test_only_what_is_wrong_counts(verdicts: Sequence[Verdict], expected: bool) -> None:  # noqa: FBT001 - a case
    """A warning is no reason for a cron job to fail."""
    assert has_wrong([Finding(name="x", verdict=each) for each in verdicts]) is expected


@pytest.mark.parametrize("live", [True, False])
def test_findings_are_shown_with_their_fixes(live: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a case
    """For who watches in a table, else in lines; counted at the end."""
    monkeypatch.setattr("deploy.doctor.show.is_live", lambda: live)
    console = Console(file=io.StringIO(), width=120)
    findings = [
        Finding(name="Kafka", verdict=fine("3 brokers")),
        Finding(name="relay", verdict=wrong("[None] is active.", "Start it.")),
    ]

    show(findings, as_json=False, console=console)

    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "[None] is active." in said
    assert "Start it." in said
    assert "1 ok, 1 wrong" in said


def test_a_narrow_terminal_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long for a line goes on in the next: ids are compared by their ends."""
    monkeypatch.setattr("deploy.doctor.show.is_live", lambda: True)
    console = Console(file=io.StringIO(), width=40)
    instance = "ins_37ZqG4EnXOsHeVUiC964dWgaVbC"

    show([Finding(name="Clerk's API", verdict=fine(instance))], as_json=False, console=console)

    assert isinstance(console.file, io.StringIO)
    assert instance in "".join(line[-23:].strip() for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0 s"), (90, "90 s"), (600, "10 min"), (7200, "2 h"), (400_000, "5 d")],
)
def test_ages_are_told_in_their_unit(seconds: float, told: str) -> None:
    """A clock that is ahead gives no negative age."""
    assert tell_age(timedelta(seconds=seconds)) == told
