"""Clerk: what is asked of its Backend API."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from deploy.console.groups import CLERK, app
from deploy.errors import OperatorError
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
def reconcile() -> int:
    """Compare the tables in DATABASE_URL with what Clerk has."""
    raise OperatorError("not there yet")


@app.command(group=CLERK)
def connect() -> int:
    """Connect an instance of Clerk's, step by step."""
    raise OperatorError("not there yet")


@app.command(group=CLERK)
def doctor() -> int:
    """Look whether everything is as it should be, and say what to do where it is not."""
    raise OperatorError("not there yet")


@app.command(name="stand-in", group=CLERK)
def stand_in(
    *, users: int = 1000, port: int = 8085, latency: float = 0, key: str | None = None
) -> int:
    """Serve a stand-in for Clerk's Backend API, for trials, until Ctrl-C.

    Prints the settings with which the other commands ask it instead of Clerk.

    Parameters
    ----------
    users
        How many invented users it has.
    port
        Where it listens, on this machine only.
    latency
        How many milliseconds every answer takes.
    key
        The secret key it accepts: sk_live_… is answered 1000 times in 10 s, sk_test_… 100 times.
    """
    from deploy.standin.app import TEST_KEY
    from deploy.standin.serve import serve_stand_in
    from deploy.terminal import open_console

    return serve_stand_in(
        users=users,
        port=port,
        latency_s=latency / 1000,
        secret_key=key or TEST_KEY,
        console=open_console(),
    )
