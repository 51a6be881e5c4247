"""The console: every command of clerkwork, and nothing but the commands.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter, validators
from rich.console import Console

from deploy.errors import explain
from deploy.terminal import open_console

app = App(
    name="clerkwork",
    help="Clerk users in your Postgres, like clockwork.",
    version_flags=(),
)
WHOLE = Group.create_ordered("The whole")
SINGLE = Group.create_ordered("One process, in the foreground")
UPKEEP = Group.create_ordered("Upkeep")
topics = App(name="topics", help="Compare the topics in Kafka with the declaration.", group=UPKEEP)
app.command(topics)
contracts = App(
    name="contracts", help="Hold rows and contracts against the live database.", group=UPKEEP
)
app.command(contracts)

AnyOption = Annotated[str, Parameter(allow_leading_hyphen=True)]
Data = Annotated[Path | None, Parameter(name="--data")]


def main() -> None:
    """Run the command that the arguments name; say what is wrong in words, with exit code 1."""
    try:
        app()
    except Exception as error:
        reason = explain(error)
        if reason is None:
            raise
        Console(stderr=True, soft_wrap=True).print(reason, markup=False, highlight=False)
        sys.exit(1)


@app.command(group=WHOLE)
def up(
    *,
    data: Data = None,
    ingest_port: int = 8080,
    api_port: int = 8081,
    worker_port: int = 9101,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
) -> int:
    """Run all of clerkwork here, until Ctrl-C.

    Kafka and PostgreSQL are started too, unless KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL says
    where one is.

    Parameters
    ----------
    data
        Keep all state in this directory; without it, state is gone in the end.
    ingest_port
        Where webhooks are taken.
    api_port
        Where users are served.
    worker_port
        Where the worker shows its metrics.
    kafka_port
        Where Kafka listens; a free port unless given.
    postgres_port
        Where PostgreSQL listens; a free port unless given.
    """
    from deploy.system import Wishes
    from deploy.up import up

    wishes = Wishes(
        data=data.absolute() if data else None,
        ingest_port=ingest_port,
        api_port=api_port,
        worker_port=worker_port,
        kafka_port=kafka_port,
        postgres_port=postgres_port,
    )
    return up(wishes, open_console())


@app.command(group=WHOLE)
def demo(*, users: int = 200, seed: int | None = None, keep: bool = False) -> int:
    """Prove it here and now: invented webhooks through the real thing, every promise checked.

    Takes nothing from the environment and leaves nothing behind.

    Parameters
    ----------
    users
        How many users live in the demonstration, three or more.
    seed
        Repeat an earlier demonstration.
    keep
        Stay up afterwards, to look around.
    """
    from deploy.demo.run import demo
    from deploy.send import choose_seed

    return demo(users=users, seed=choose_seed(seed), keep=keep, console=open_console())


@app.command(group=SINGLE)
def ingest() -> None:
    """Take webhooks and put them on Kafka."""
    from ingest.__main__ import main

    main()


@app.command(group=SINGLE)
def worker() -> None:
    """Take events from Kafka and apply them to PostgreSQL."""
    from workers.__main__ import main

    main()


@app.command(group=SINGLE)
def api() -> None:
    """Serve users."""
    from api.__main__ import main

    main()


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
    """Keep the ledger in DATABASE_URL in order; made for cron, every day.

    Makes partitions for the months to come, moves events there that lie in the default one, and
    drops what CLERKWORK_LEDGER_RETENTION_MONTHS lets go.

    Parameters
    ----------
    dry_run
        Only say what would be done.
    """
    from deploy.maintain import run_maintain

    return run_maintain(open_console(), dry_run=dry_run)


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
    """Write schema/postgres/rows.py from DATABASE_URL; unset, from the migrations alone."""
    from deploy.contracts.generate import generate

    return generate(open_console())


@contracts.command(name="check")
def check_contracts() -> int:
    """Show where tables, database, rows and contracts differ; exit code 1 when they do."""
    from deploy.contracts.check import check

    return check(open_console())


@app.command(group=WHOLE)
def send(
    *,
    to: str | None = None,
    secret: Annotated[str | None, Parameter(env_var="CLERK_WEBHOOK_SIGNING_SECRET")] = None,
    types: Annotated[tuple[str, ...], Parameter(name="--type")] = ("user.created",),
    count: int = 1,
    rate: float | None = None,
    shuffle: bool = False,
    duplicates: int = 0,
    seed: int | None = None,
    data: Data = None,
) -> int:
    """Send signed sample webhooks to any address.

    Parameters
    ----------
    to
        The URL that takes webhooks; the clerkwork that runs here unless given.
    secret
        How it expects them to be signed, whsec_…; the first of several, comma-separated.
    types
        What happened, such as user.updated; several are taken in turn.
    count
        How many different events.
    rate
        How many each second; as fast as they are taken unless given.
    shuffle
        Send them in another order than that of their times.
    duplicates
        How many are sent once more.
    seed
        Tell of the same people as an earlier run.
    data
        The --data of the clerkwork that runs here, where it was given one.
    """
    from deploy.home import find_home
    from deploy.send import Order, choose_seed, find_target, send

    target = find_target(to=to, secret=secret, home=find_home(data))
    order = Order(
        types=types, count=count, duplicates=duplicates, shuffle=shuffle, seed=choose_seed(seed)
    )
    return send(order, target, per_second=rate, console=open_console())


@app.command(group=WHOLE)
def token(
    *,
    user: str = "user_development",
    minutes: float = 60,
    origin: str | None = None,
    data: Data = None,
) -> None:
    """Print a session token for the API that `up` runs.

    What its user may do is not in the token: administrators are those whose row in the database
    says so, from public_metadata.role.

    Parameters
    ----------
    user
        The clerk user id it belongs to.
    minutes
        How long it is valid.
    origin
        Its azp; without it, none.
    data
        The --data of the clerkwork that runs here, where it was given one.
    """
    from deploy.home import find_home
    from deploy.tokens import mint_token

    key = find_home(data).private_key()
    open_console().print(
        mint_token(key, user_id=user, minutes=minutes, origin=origin), markup=False
    )


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
