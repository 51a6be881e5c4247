"""The real command at a real terminal, from the first question to the doctor's verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sys
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.environment import ROOT
from deploy.standin.app import TEST_KEY
from deploy.tokens import new_private_key, public_key
from tests.factories import SECRET
from tests.leftovers import note_leftovers
from tests.waiting import until
from workers.app import running_worker
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    import pytest

    from deploy.standin.world import World
    from tests.integration.deploy.connect.conftest import Serve

CTRL_C = "\x03"
TYPED = {"CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET"}
"""What the environment does not say, so that it is asked for."""


@dataclass
class Session:
    """Somebody at a terminal in which a command runs."""

    process: asyncio.subprocess.Process
    terminal: int
    screen: str = ""

    async def wait_for(self, text: str) -> None:
        """Wait until that is on the screen."""

        async def look() -> str:
            return self.screen

        await until(
            look, lambda screen: text in screen or self.process.returncode is not None, within_s=60
        )
        assert text in self.screen, self.screen

    def enter(self, text: str) -> None:
        """Type."""
        os.write(self.terminal, text.encode())

    async def enter_hidden(self, text: str) -> None:
        """Type a line once the terminal no longer shows what is typed; before, it is lost."""

        async def shows() -> bool:
            return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

        await until(shows, lambda shown: not shown)
        self.enter(f"{text}\n")

    def read(self) -> None:
        """Take what was written to the terminal."""
        with contextlib.suppress(OSError):
            self.screen += os.read(self.terminal, 65_536).decode(errors="replace")


@contextlib.asynccontextmanager
async def _connecting(*options: str) -> AsyncIterator[Session]:
    environment = {name: value for name, value in os.environ.items() if name not in TYPED}
    terminal, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "connect", *options),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        cwd=ROOT,
        env={**environment, "TERM": "xterm", "COLUMNS": "300"},
        preexec_fn=_take_terminal,
    )
    os.close(inner)
    session = Session(process, terminal)
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, session.read)
    try:
        yield session
    finally:
        loop.remove_reader(terminal)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal)


def _take_terminal() -> None:
    """Make the terminal the one whose Ctrl-C reaches the command."""
    os.setsid()
    os.close(os.open(os.ttyname(0), os.O_RDWR))


async def test_a_person_is_walked_through_it(
    serve: Serve,
    world: World,
    bootstrap_servers: str,
    database: asyncpg.Connection[asyncpg.Record],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Secrets are typed and not shown; Ctrl-C ends it; run again, it ends with the doctor."""
    world.populate(20)
    monkeypatch.setenv("CLERK_JWT_KEY", public_key(new_private_key()))
    await note_leftovers(bootstrap_servers, database)
    async with (
        serve() as door,
        _connecting() as first,  # it starts while the others do
        _connecting("--url", door.tunnel, "--wait", "60") as second,
        running_worker(WorkerSettings()),
        running_relay(RelaySettings()),
    ):
        await first.wait_for("The secret key of your instance")
        first.enter(CTRL_C)
        await first.wait_for("Interrupted.")
        interrupted = await first.process.wait()
        await second.wait_for("The secret key of your instance")
        await second.enter_hidden(TEST_KEY)
        await second.wait_for("Signing Secret): ")
        await second.enter_hidden(SECRET)
        await second.wait_for("Clerk's test event")
        assert await door.deliver(world.create_user().body) == 202
        await second.wait_for("Fetch all of that now?")
        second.enter("y\n")
        await second.wait_for("To look again: ")
        code = await second.process.wait()

    users = await database.fetchval("SELECT count(*) FROM users WHERE status <> 'pending'")
    assert interrupted == 130
    assert code == 0, second.screen
    assert users == 21
    assert TEST_KEY not in first.screen + second.screen
    assert SECRET not in first.screen + second.screen
    assert "wrong" not in second.screen.rpartition("7. The whole")[2]
