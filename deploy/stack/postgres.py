"""PostgreSQL as a child process: a server of one's own on the loopback interface."""

import secrets
import shutil
import signal
import time
from pathlib import Path
from typing import Self

import psutil

from deploy.stack.errors import StackError
from deploy.stack.installation import Installation, provide_installation
from deploy.stack.ports import LOOPBACK, free_port, require_free
from deploy.stack.process import BARE_ENVIRONMENT, Process, Program
from deploy.stack.tool import run_tool

NAME = "clerkwork"
"""The role, a superuser, and the database."""

INITDB_OPTIONS = (
    f"--username={NAME}",
    "--auth=reject",  # HBA below replaces what this writes
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order and case everywhere, whatever the system has
    "--builtin-locale=C.UTF-8",
    # Into postgresql.conf, for ALTER SYSTEM to replace. The first change of a page after a
    # checkpoint writes all of it into the log: seldom, then.
    "--set=checkpoint_timeout=15min",
    "--set=max_wal_size=4GB",
    # A commit that comes to the end of a file of the log waits until the next is made, 60 to
    # 90 ms: checkpoints leave so many to be used again.
    "--set=min_wal_size=1GB",
    "--set=shared_buffers=256MB",
)

HBA = f"host all all {LOOPBACK}/32 scram-sha-256\n"

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # a row that a constraint refuses is somebody's
}

# Backends notice the crash of their server within moments; until then it cannot start again.
CRASH_SECONDS = 10


class Postgres:
    """A server with its data in a directory; keeps its port and data over restarts."""

    def __init__(self, *, data: Path, log: Path, port: int | None = None) -> None:
        """Choose where data and log go; without a port, a free one is taken for good."""
        self.port = port or free_port()
        self.data = data.absolute()
        self._log = log.absolute()
        self._password_file = self.data.with_name(f"{self.data.name}.password")
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where clients connect, password included: postgresql://…; known after the start."""
        password = self._password_file.read_text()
        return f"postgresql://{NAME}:{password}@{LOOPBACK}:{self.port}/{NAME}"

    @property
    def pid(self) -> int:
        """The process id of the server; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Return when the server accepts connections; create role and database the first time.

        Raises StackError when that fails, it is running already or the port is taken.
        """
        if self._process:
            self._process.require_ended()
        installation = provide_installation()
        require_free(self.port, asked_by="PostgreSQL")
        if not self.data.exists():
            self._initialise(installation)
        installation.give(self.data)
        crashed = self._forget_dead_server()
        give_up = time.monotonic() + CRASH_SECONDS
        while True:
            self._process = Process(self._program(installation))
            try:
                self._process.start()
            except StackError:
                if not crashed or time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """Disconnect everybody and shut down cleanly; a second call does nothing."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Stop and start again on the same port with the same data."""
        self.stop()
        self.start()

    def _program(self, installation: Installation) -> Program:
        settings = SETTINGS | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            name="PostgreSQL",
            command=[
                installation.program("postgres"),
                *("-D", _seen_from_inside(self.data, installation)),
                *options,
            ],
            log=self._log,
            environment=BARE_ENVIRONMENT,
            directory=self.data,
            account=installation.account,
            ready=self._ready,
            stop_signal=signal.SIGINT,
        )

    def _ready(self) -> bool:
        """Read what the server says of itself, as pg_ctl does."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _forget_dead_server(self) -> bool:
        """Tell whether the last server crashed.

        Its pid may by now be another program's, which PostgreSQL would take for a running
        server: then the file that says so has to go.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return False
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if psutil.Process(pid).name() != "postgres":
                pid_file.unlink()
        except (ValueError, psutil.Error):
            pass
        return True

    def _initialise(self, installation: Installation) -> None:
        """Create the cluster, the role and the database, in one step."""
        new = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True, mode=0o700)
        installation.give(new)
        password = secrets.token_urlsafe(24)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(password)
        initdb = installation.program("initdb")
        server = installation.program("postgres")
        name = _seen_from_inside(new, installation)
        sql = f"ALTER ROLE {NAME} PASSWORD '{password}';\nCREATE DATABASE {NAME};\n"
        commands: list[tuple[list[str | Path], str]] = [
            ([initdb, *INITDB_OPTIONS, "-D", name], ""),
            ([server, "--single", "-D", name, "--exit_on_error=on", "postgres"], sql),
        ]
        for command, stdin in commands:
            run_tool(
                command,
                purpose=f"create PostgreSQL's data in {self.data}",
                directory=new,
                account=installation.account,
                stdin=stdin,
            )
        (new / "pg_hba.conf").write_text(HBA)
        new.rename(self.data)


def _seen_from_inside(cluster: Path, installation: Installation) -> str:
    """Return a name of the directory that works for who runs there.

    Another account may be unable to reach it from the root of the file system, but the server
    is put into it, and there this name always works. See proc_pid_cwd(5).
    """
    return str(cluster) if installation.account is None else "/proc/self/cwd"
