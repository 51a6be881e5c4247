"""The whole of clerkwork: run it, prove it, talk to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deploy.console.groups import WHOLE, app
from deploy.terminal import open_console

Data = Annotated[Path | None, Parameter(name="--data")]


@app.command(group=WHOLE)
def up(
    *,
    data: Data = None,
    ingest_port: int = 8080,
    api_port: int = 8081,
    worker_port: int = 9101,
    relay_port: int = 9102,
    canary_port: int = 9103,
    desk_port: int = 8082,
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
    relay_port
        Where the relay shows its metrics.
    canary_port
        Where the canary shows how long events take.
    desk_port
        Where operators find the desk, in a browser.
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
        relay_port=relay_port,
        canary_port=canary_port,
        desk_port=desk_port,
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
    from schema.ops.variables import find_variable

    target = find_target(
        to=to,
        secret=secret or find_variable("CLERK_WEBHOOK_SIGNING_SECRET"),
        home=find_home(data),
    )
    order = Order(
        types=types, count=count, duplicates=duplicates, shuffle=shuffle, seed=choose_seed(seed)
    )
    return send(order, target, per_second=rate, console=open_console())


@app.command(group=WHOLE)
def token(
    *,
    user: str = "user_development",
    machine: str | None = None,
    minutes: float = 60,
    origin: str | None = None,
    organization: str | None = None,
    role: str = "member",
    permission: tuple[str, ...] = (),
    scope: tuple[str, ...] = (),
    data: Data = None,
) -> None:
    """Print a session token, or a machine's, for the API that `up` runs.

    What its user may do is not in the token: administrators are those whose row in the database
    says so, from public_metadata.role. The exception is the scope clerkwork:read.

    Parameters
    ----------
    user
        The clerk user id it belongs to.
    machine
        The machine id (mch_…) it belongs to instead; the API lets it in with CLERK_MACHINE_TOKENS.
    minutes
        How long it is valid.
    origin
        Its azp; without it, none.
    organization
        The id (org_…) of the organization that the session acts in.
    role
        The user's role in it, such as admin.
    permission
        What the user may do in it: <feature>:<permission>; can be repeated.
    scope
        A scope that the token carries, such as clerkwork:read; can be repeated.
    data
        The --data of the clerkwork that runs here, where it was given one.
    """
    from deploy.home import find_home
    from deploy.tokens import Membership, mint_machine_token, mint_token

    key = find_home(data).private_key()
    if machine:
        minted = mint_machine_token(key, machine_id=machine, minutes=minutes, scopes=scope)
    else:
        minted = mint_token(
            key,
            user_id=user,
            minutes=minutes,
            origin=origin,
            membership=Membership(organization_id=organization, role=role, permissions=permission)
            if organization
            else None,
            scopes=scope,
        )
    open_console().print(minted, markup=False)
