"""Clerk: what is asked of its Backend API."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from deploy.console.groups import CLERK, app
from deploy.errors import OperatorError


@app.command(group=CLERK)
def backfill() -> int:
    """Publish every user, organization and membership that Clerk has."""
    raise OperatorError("not there yet")


@app.command(group=CLERK)
def reconcile() -> int:
    """Compare the tables in DATABASE_URL with what Clerk has."""
    raise OperatorError("not there yet")


@app.command(group=CLERK)
def connect(
    *,
    url: str | None = None,
    wait: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=3600))] = 120,
    yes: Annotated[bool, Parameter(negative=())] = False,
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
    from deploy.terminal import open_console

    return run_connect(Wishes(url=url, wait_s=wait, yes=yes), open_console())


@app.command(group=CLERK)
def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Look whether everything is as it should be, and say what to do where it is not.

    Looks at whatever of Kafka, PostgreSQL and Clerk the environment names; exit code 1 when
    something is wrong.

    Parameters
    ----------
    json
        A line of JSON.
    """
    from deploy.doctor.run import run_doctor
    from deploy.terminal import open_console

    return run_doctor(open_console(), as_json=json)


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
