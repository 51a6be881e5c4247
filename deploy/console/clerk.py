"""Clerk: what is asked of its Backend API."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

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
def connect() -> int:
    """Connect an instance of Clerk's, step by step."""
    raise OperatorError("not there yet")


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
def stand_in() -> int:
    """Serve a stand-in for Clerk's Backend API, for trials."""
    raise OperatorError("not there yet")
