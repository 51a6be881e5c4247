"""Upkeep: what is done to a clerkwork that runs, its databases and its topics."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the annotation
from typing import Annotated

from cyclopts import App, Parameter, validators

from deploy.console.groups import UPKEEP, app
from deploy.terminal import open_console

topics = App(name="topics", help="Compare the topics in Kafka with the declaration.", group=UPKEEP)
app.command(topics)
contracts = App(
    name="contracts", help="Hold contracts against each other and the live database.", group=UPKEEP
)
app.command(contracts)

line = App(
    name="line",
    help="Partitions that too many rejects have stopped, in DATABASE_URL.",
    group=UPKEEP,
)
app.command(line)

Flag = Annotated[bool, Parameter(negative=())]
AnyOption = Annotated[str, Parameter(allow_leading_hyphen=True)]


@app.command(group=UPKEEP)
def migrate(
    *,
    rehearse: Annotated[bool, Parameter(negative=())] = False,
    sample: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 10_000,
) -> int:
    """Bring the database in DATABASE_URL to the declared state, or try how that would go.

    Parameters
    ----------
    rehearse
        Change nothing: run what is pending on a copy, and tell duration, locks and rows. The copy
        is a database on the same server: personal data stays there; it is dropped in the end.
    sample
        How many rows of each table a rehearsal copies at most.
    """
    from deploy.prepare import run_migrate

    return run_migrate(open_console(), sample=sample if rehearse else None)


@app.command(group=UPKEEP)
def maintain(*, dry_run: bool = False) -> int:
    """Keep DATABASE_URL in order; made for cron, every hour.

    Erases deleted users whose data was held back long enough, marks sessions that have run out,
    forgets old dead letters and changes, makes the ledger's partitions for the months to come,
    moves events there that lie in the default one, and drops what
    CLERKWORK_LEDGER_RETENTION_MONTHS lets go.

    Parameters
    ----------
    dry_run
        Only say what would be done.
    """
    from deploy.maintain.run import run_maintain

    return run_maintain(open_console(), dry_run=dry_run)


@app.command(group=UPKEEP)
def audit(*, hours: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 24) -> int:
    """Look for webhooks that were accepted and consumed, and are not in the ledger.

    Compares KAFKA_BOOTSTRAP_SERVERS with DATABASE_URL; exit code 1 when something is missing.

    Parameters
    ----------
    hours
        How far to look back.
    """
    from deploy.audit import run_audit

    return run_audit(open_console(), hours=hours)


@app.command(group=UPKEEP)
def restore(user: str) -> int:
    """Give a deleted user back whose data in DATABASE_URL is not yet erased.

    Parameters
    ----------
    user
        The clerk user id, or the id of the row.
    """
    from deploy.restore import run_restore

    return run_restore(user, open_console())


@app.command(group=UPKEEP)
def tell() -> int:
    """Tell other services of every user in DATABASE_URL again, through the outbox.

    For a first time, when users are older than the change topics, and when a topic was lost.
    """
    from deploy.tell import run_tell

    return run_tell(open_console())


@app.command(group=UPKEEP)
def rebuild(
    *,
    dry_run: Flag = False,
    yes: Flag = False,
    keep: Flag = False,
    unmask: Flag = False,
    json: Flag = False,
) -> int:
    """Make the tables anew from Kafka, compare, and put them in the place of those that are there.

    Reads all of KAFKA_BOOTSTRAP_SERVERS beside the workers, into the schema `rebuild` of
    DATABASE_URL; the environment must be that of the workers. Refuses where the topics do not
    reach back far enough, and says what is missing. Exit code 1 when something differs and is
    left as it is.

    Parameters
    ----------
    dry_run
        Only compare. Writers wait for that too, readers do not.
    yes
        Do not ask.
    keep
        Keep the tables that are replaced, in the schema before_rebuild.
    unmask
        Show personal data too.
    json
        A line of JSON.
    """
    from deploy.rebuild.run import Wishes, run_rebuild

    wishes = Wishes(dry_run=dry_run, yes=yes, keep=keep, unmask=unmask, as_json=json)
    return run_rebuild(wishes, open_console())


@line.command(name="show")
def show_line() -> int:
    """Show what is stopped, why, and how to go on; exit code 1 when something is."""
    from deploy.line import run_show

    return run_show(open_console())


@line.command(name="release")
def release_line(place: str | None = None, *, allow: int = 0) -> int:
    """Let stopped partitions go on.

    Parameters
    ----------
    place
        Topic or topic/partition; all unless given.
    allow
        So many more rejects go to the retry and dead-letter topics before the limits count again.
    """
    from deploy.line import run_release

    return run_release(place, open_console(), allowance=allow)


@topics.command(name="apply")
def apply_topics() -> int:
    """Create what is missing and correct what differs, in KAFKA_BOOTSTRAP_SERVERS."""
    from deploy.prepare import prepare_topics, tell_differences

    return tell_differences(prepare_topics, open_console())


@topics.command(name="diff")
def diff_topics() -> int:
    """Show what differs from the declared state; exit code 1 when something does."""
    from deploy.prepare import compare_topics, tell_differences

    return tell_differences(compare_topics, open_console())


@contracts.command(name="generate")
def generate_contracts() -> int:
    """Write what is made from other contracts: rows, and the schemas and AsyncAPI of the topics.

    The rows are those of DATABASE_URL; unset, of the migrations alone. A schema that other
    services have is not changed so that they break.
    """
    from deploy.contracts.generate import generate

    return generate(open_console())


@contracts.command(name="check")
def check_contracts() -> int:
    """Show where database, rows, contracts and topics differ; exit code 1 when they do."""
    from deploy.contracts.check import check

    return check(open_console())


@app.command(group=UPKEEP)
def test(*pytest_arguments: AnyOption) -> int:
    """Run ruff, mypy, basedpyright and pytest; with arguments, pytest alone with those.

    Parameters
    ----------
    pytest_arguments
        Handed to pytest as they are.
    """
    from deploy.check import check

    return check(pytest_arguments, open_console())


@app.command(group=UPKEEP)
def bench(
    *figures: str,
    quick: Flag = False,
    runs: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    minutes: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    json: Path | None = None,
    add: Flag = False,
    compare: Path | None = None,
    read: Path | None = None,
    out: Path | None = None,
) -> int:
    """Measure how fast clerkwork is, beside what the machine can do and what is usually written.

    Prints a table, draws plots, writes JSON. Exit code 1: something failed, or is worse than in
    the run that it is compared with.

    Parameters
    ----------
    figures
        What to measure, such as ingest; unless given, everything that does not take long.
    quick
        Go through everything once, with little of it: the figures mean nothing.
    runs
        How often; three times unless given.
    minutes
        For how long at most, though each has one run at least; 18 where no figure is named.
    json
        Where the results go; a file of its own below `out` unless given.
    add
        Keep what that file has of figures that are not measured now.
    compare
        The results of an earlier run.
    read
        Measure nothing: tell, draw and compare what these results say.
    out
        Where plots go; .clerkwork/bench unless given.
    """
    from tests.bench import command

    wishes = command.Wishes(
        figures=figures,
        quick=quick,
        runs=runs,
        minutes=minutes,
        json=json,
        add=add,
        compare=compare,
        read=read,
        out=out or command.OUT,
    )
    return command.bench(wishes, open_console())
