"""Which database the contracts are held against."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.migrate import migrate
from deploy.signals import interruptible
from schema.ops.settings import DatabaseSettings, read_settings
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def some_database() -> Iterator[str]:
    """Give the URL of the database in DATABASE_URL; unset, of one made by the migrations alone.

    The latter lives in a PostgreSQL of its own, gone in the end. Raises StackError when that
    cannot start, SystemExit when DATABASE_URL is not valid.
    """
    if find_variable("DATABASE_URL"):
        yield read_settings(DatabaseSettings).database_url.get_secret_value()
        return
    # Only here: the image has no embedded servers, and there DATABASE_URL is set.
    from deploy.stack.postgres import Postgres  # noqa: PLC0415  # only then

    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="clerkwork-", ignore_cleanup_errors=True) as data,
        Postgres(data=Path(data) / "postgres", log=Path(data) / "postgres.log") as server,
    ):
        asyncio.run(migrate(server.url))
        yield server.url
