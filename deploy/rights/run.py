"""The ACLs, for the operator: compared, told as commands, put in place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from aiokafka.client import AIOKafkaClient

from deploy.errors import OperatorError
from deploy.letters.desk import naming_kafka
from deploy.rights.acls import Differences, apply_acls, declared_acls, diff_acls, spell_commands
from deploy.rights.topics import NEEDS
from schema.kafka.connections import connection_arguments
from schema.ops.settings import KafkaSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rich.console import Console

CLIENT: Final = "clerkwork-topics"


def run_acls(users: Sequence[str], console: Console, *, apply: bool, offline: bool) -> int:
    """Compare or apply the ACLs of these users; return 1 when something differs and is left.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    named = read_users(users)
    if offline:
        _tell(console, spell_commands(declared_acls(named)))
        return 0
    settings = read_settings(KafkaSettings)
    with naming_kafka():
        found = asyncio.run(_compare(settings, named, apply=apply))
    _tell(console, spell_commands(found.missing))
    _tell(console, spell_commands(found.surplus, action="--remove"))
    if not (found.missing or found.surplus):
        console.print("All ACLs are as declared.")
        return 0
    if apply:
        console.print("That is done.")
    return 0 if apply else 1


def read_users(words: Sequence[str]) -> Mapping[str, str]:
    """Return process -> as which user it comes, of words such as `worker=alice`.

    Raises OperatorError.
    """
    if not words:
        return {process: f"clerkwork-{process}" for process in NEEDS}
    users = {process: user for process, _, user in (word.partition("=") for word in words)}
    for process, user in users.items():
        if process not in NEEDS or not user:
            raise OperatorError(
                f"{process}={user} does not say who comes as whom. Say it as worker=alice; the"
                f" processes are {', '.join(NEEDS)}."
            )
    return users


async def _compare(
    settings: KafkaSettings, users: Mapping[str, str], *, apply: bool
) -> Differences:
    async with _asking(settings) as client:
        found = await diff_acls(client, users)
        if apply:
            await apply_acls(client, found)
        return found


@contextlib.asynccontextmanager
async def _asking(settings: KafkaSettings) -> AsyncIterator[AIOKafkaClient]:
    # aiokafka logs each failed attempt; the last one is told in words.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    client = AIOKafkaClient(**connection_arguments(settings), client_id=CLIENT)
    try:
        await client.bootstrap()
        yield client
    finally:
        await client.close()


def _tell(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False)
