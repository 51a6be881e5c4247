"""Send signed sample webhooks to any address."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.errors import OperatorError
from deploy.post import Delivery, opened_session, paced, post
from deploy.samples import invent_person, tell, write_event
from deploy.sign import new_event_id, sign
from deploy.terminal import is_live

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.home import Home

_SEEDS: Final = 10**6


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to send."""

    types: tuple[str, ...]
    """Names of samples; taken in turn."""
    count: int
    """How many different events."""
    duplicates: int
    """How many of them are sent once more."""
    shuffle: bool
    seed: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to send it, and how it is signed there."""

    url: str
    secret: str


def find_target(*, to: str | None, secret: str | None, home: Home) -> Target:
    """Return where to send: as given, else to the clerkwork that runs. Raises OperatorError."""
    running = home.recall()
    url = to or (running.ingest if running else None)
    if url is None:
        raise OperatorError("No clerkwork runs here. Start one with up, or say where: --to URL.")
    if to and not secret and not (running and running.ingest == to):
        raise OperatorError(f"Say how {to} expects webhooks to be signed: --secret whsec_….")
    known = secret.partition(",")[0].strip() if secret else home.signing_secret()
    sign(b"", secret=known, event_id="")  # it says now what it would say of every webhook
    return Target(url=url, secret=known)


def choose_seed(seed: int | None) -> int:
    """Return the seed, or one that nobody chose."""
    return SystemRandom().randrange(_SEEDS) if seed is None else seed


def make_deliveries(order: Order, *, now_ms: int) -> list[Delivery]:
    """Return what to send, in order. Raises OperatorError when a sample does not exist.

    The same seed invents the same people, so that user.updated can follow user.created.
    """
    random = Random(order.seed)  # noqa: S311 - invented people are no secrets
    people = [invent_person(random) for _ in range(order.count)]
    deliveries = [
        Delivery(
            event_id=new_event_id(),
            body=write_event(tell(order.types[n % len(order.types)], person, at_ms=now_ms + n)),
        )
        for n, person in enumerate(people)
    ]
    deliveries += random.choices(deliveries, k=order.duplicates) if deliveries else []
    if order.shuffle:
        random.shuffle(deliveries)
    return deliveries


def send(order: Order, target: Target, *, per_second: float | None, console: Console) -> int:
    """Send, say how each was answered, and return the exit code: 0 when all were accepted."""
    deliveries = make_deliveries(order, now_ms=int(time.time() * 1000))
    begin = time.monotonic()
    answers = asyncio.run(_send(deliveries, target, per_second=per_second, console=console))
    seconds = time.monotonic() - begin
    console.print(
        f"{len(deliveries)} webhooks to {target.url} in {seconds:.1f} s, seed {order.seed}:"
    )
    for (status, code), number in sorted(answers.items(), key=str):
        console.print(f"  {number:>6}  {status or '—'} {code}")
    return 0 if all(status == 202 for status, _ in answers) else 1


async def _send(
    deliveries: list[Delivery], target: Target, *, per_second: float | None, console: Console
) -> Counter[tuple[int | None, str]]:
    answers = Counter[tuple[int | None, str]]()
    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not is_live())
    task = bar.add_task("sending", total=len(deliveries))

    async with opened_session() as session:

        async def deliver(delivery: Delivery) -> None:
            answer = await post(session, target.url, delivery, secret=target.secret)
            answers[answer.status, answer.code] += 1
            bar.advance(task)
            _tell_now_and_then(console, answers.total(), len(deliveries))

        with bar:
            await paced((partial(deliver, each) for each in deliveries), per_second=per_second)
    return answers


def _tell_now_and_then(console: Console, sent: int, total: int) -> None:
    """Write ten lines at most where no bar can be drawn."""
    if not is_live() and total >= 100 and sent % (total // 10) == 0:
        console.print(f"{sent} of {total} sent")
