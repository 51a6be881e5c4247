"""Clerk: what is asked of its Backend API."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the annotation
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from deploy.console.groups import CLERK, app
from deploy.terminal import open_console

Flag = Annotated[bool, Parameter(negative=())]


@app.command(group=CLERK)
def backfill(
    *,
    only: Annotated[
        tuple[Literal["users", "organizations", "memberships"], ...], Parameter(negative=())
    ] = (),
    restart: Flag = False,
    wait: bool = True,
    dry_run: Flag = False,
) -> int:
    """Publish every user, organization and membership that Clerk has.

    They go to KAFKA_BOOTSTRAP_SERVERS as snapshots, by the way that webhooks take: what is newer
    here stays. At most CLERK_API_SHARE of what Clerk allows the key in CLERK_SECRET_KEY is asked.
    Whatever breaks it off, it goes on there when it is run again. Exit code 0 only when
    everything is through and, unless nobody waits for that, applied to DATABASE_URL.

    Parameters
    ----------
    only
        What to publish; may be repeated. Everything unless given.
    restart
        Begin anew, though one that broke off could be gone on with.
    wait
        Wait until workers have applied everything.
    dry_run
        Count, compare with the tables, estimate how long it would take; publish nothing.
    """
    from deploy.backfill.run import Wishes, run_backfill

    wishes = Wishes(only=only, restart=restart, wait=wait, dry_run=dry_run)
    return run_backfill(wishes, open_console())


@app.command(group=CLERK)
def reconcile(
    *,
    incremental: Flag = False,
    sample: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    repair: Flag = False,
    force: Flag = False,
    max_deletions: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=100))] = 5,
    sessions: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 300,
    settle: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 30,
    patience: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 120,
    overlap: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 600,
    every: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    metrics_file: Path | None = None,
    json: Flag = False,
) -> int:
    """Compare the tables in DATABASE_URL with what Clerk has; made for cron.

    Walks through all users, organizations and memberships, looks up what Clerk does not name, and
    open sessions. What is on its way over KAFKA_BOOTSTRAP_SERVERS is no drift. Exit code 0: no
    drift, or all of it mended; 1: drift was found, or is left; 2: refused by the ceiling, or not
    brought to an end.

    Parameters
    ----------
    incremental
        Only users who have changed since the last run: finds who is missing or stale, not who is
        deleted. Without a run before, everything.
    sample
        Only about so many users of either side, drawn by chance, and an estimate for all.
    repair
        Mend: publish what Clerk has, or has no more, on the path of its webhooks.
    force
        Delete however many, and also whom an operator has restored.
    max_deletions
        Per cent of the living rows of each kind of thing; where Clerk has lost more than that,
        none is deleted.
    sessions
        How many open sessions are looked up besides those of users who are gone, the least
        recently active first; the next run goes on after them.
    settle
        Seconds that Clerk may take to tell of a change.
    patience
        Seconds that workers may take to apply what was told.
    overlap
        Seconds before the last run's latest change from which an incremental one begins.
    every
        Go on until stopped, beginning a run every so many seconds; metrics are served on
        RECONCILE_METRICS_PORT.
    metrics_file
        Write the metrics there, for node_exporter's textfile collector.
    json
        A line of JSON, with all ids.
    """
    from deploy.reconcile.confirm import Ceiling
    from deploy.reconcile.run import Wishes, run_reconcile
    from deploy.reconcile.settle import Patience

    wishes = Wishes(
        incremental=incremental,
        sample=sample,
        repair=repair,
        ceiling=Ceiling(per_cent=max_deletions, force=force),
        patience=Patience(settle_s=settle, workers_s=patience),
        sessions=sessions,
        overlap_s=overlap,
        every_s=every,
        metrics_file=metrics_file,
        as_json=json,
    )
    return run_reconcile(wishes, open_console())


@app.command(group=CLERK)
def connect(
    *,
    url: str | None = None,
    wait: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=3600))] = 120,
    yes: Flag = False,
) -> int:
    """Connect an instance of Clerk's, step by step, each of them proved.

    Checks the keys, proves that a public address leads to ingest, says what to enter in Clerk's
    dashboard, proves the signing secret, waits for Clerk's test event, and offers the backfill.
    Run again, it looks at what is done and goes on with the rest. Secrets that are not in the
    environment are asked for.

    Parameters
    ----------
    url
        The public address of ingest, such as that of a tunnel; asked for unless given.
    wait
        For how many seconds Clerk's test event is waited for.
    yes
        Backfill without asking.
    """
    from deploy.connect.run import run_connect
    from deploy.connect.visit import Wishes

    return run_connect(Wishes(url=url, wait_s=wait, yes=yes), open_console())


@app.command(group=CLERK)
def doctor(*, json: Flag = False) -> int:
    """Look whether everything is as it should be, and say what to do where it is not.

    Looks at whatever of Kafka, PostgreSQL and Clerk the environment names; exit code 1 when
    something is wrong.

    Parameters
    ----------
    json
        A line of JSON.
    """
    from deploy.doctor.run import run_doctor

    return run_doctor(open_console(), as_json=json)


@app.command(name="stand-in", group=CLERK)
def stand_in(
    *,
    users: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 1000,
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))] = 8085,
    latency: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 0,
    key: str | None = None,
) -> int:
    """Serve a stand-in for Clerk's Backend API, for trials, until Ctrl-C.

    Prints a shell command after which the other commands ask it instead of Clerk.

    Parameters
    ----------
    users
        How many invented users it has.
    port
        Where it listens, on this machine only; 0 for any port that is free.
    latency
        How many milliseconds every answer takes.
    key
        The secret key it accepts: sk_live_… is answered 1000 times in 10 s, sk_test_… 100 times.
    """
    from deploy.standin.app import TEST_KEY
    from deploy.standin.serve import serve_stand_in

    return serve_stand_in(
        users=users,
        port=port,
        latency_s=latency / 1000,
        secret_key=key or TEST_KEY,
        console=open_console(),
    )
