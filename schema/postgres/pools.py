"""A pool of connections to PostgreSQL, bounded in size and in every wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.ops.settings import DatabaseSettings

COMMAND_TIMEOUT_S: Final = 15.0
"""No statement is waited for longer; the connection is then given up."""

IDLE_S: Final = 30.0
"""A connection that nobody used for so long is closed, so that a burst does not keep its own."""


async def _leave(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let a connection go back to its pool as it is."""


def build_pool(  # noqa: PLR0913 - each says something else
    settings: DatabaseSettings,
    *,
    name: str,
    min_size: int,
    max_size: int,
    session: Mapping[str, str] | None = None,
    resets: bool = True,
) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool that is not open yet: `async with pool` or `await pool` opens it.

    `name` shows in pg_stat_activity; `session` has settings of PostgreSQL's that replace ours.
    Who leaves nothing in a session - no SET, no LISTEN, no advisory lock - needs no `resets`: a
    round trip after each use. Transactions are ended in any case.
    PostgreSQL ends a statement after COMMAND_TIMEOUT_S, and who waits for an answer learns of it;
    connections that are not used for IDLE_S are closed. Session settings keep a stopped or hung
    client from holding locks:
    https://www.postgresql.org/docs/18/runtime-config-client.html
    """
    return asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=min_size,
        max_size=max_size,
        max_inactive_connection_lifetime=IDLE_S,
        timeout=5.0,
        command_timeout=COMMAND_TIMEOUT_S,
        reset=None if resets else _leave,
        server_settings={
            "application_name": name,
            "jit": "off",  # a batch is over before its plan would be compiled
            "idle_in_transaction_session_timeout": "10s",
            "lock_timeout": "10s",
            "statement_timeout": f"{COMMAND_TIMEOUT_S * 1000:.0f}ms",
            # The other two do not see a client that is frozen between the parts of a statement.
            "transaction_timeout": "30s",
            **(session or {}),
        },
    )
