"""Child processes: started, watched, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from deploy.stack import Process, Program, StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""

POLITE = """
import signal, sys, time
def leave(*_):
    print("left politely", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(60)
"""

PARENT = """
import pathlib, sys, time
from deploy.stack import Process, Program
log = pathlib.Path(sys.argv[1])
process = Process(Program(name="child", command=[sys.executable, "-c", sys.argv[2]], log=log,
                          ready=lambda: "up" in log.read_text(), grace=float(sys.argv[3])))
process.start()
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the program under test logs."""
    return tmp_path / "logs" / "program.log"


@pytest.fixture
def program(log: Path) -> Callable[..., Process]:
    """Make a process of Python code, ready when it has said `up`."""

    def make(code: str, **options: Any) -> Process:
        options = {"ready": lambda: "up" in log.read_text(), "grace": 5.0, **options}
        command = [sys.executable, "-c", textwrap.dedent(code)]
        return Process(Program(name="it", command=command, log=log, **options))

    return make


def test_stops_politely(program: Callable[..., Process]) -> None:
    """The program gets its signal, ends in its own way, and its exit code comes through."""
    process = program(POLITE)
    with process:
        assert process.poll() is None
        assert psutil.Process(process.pid).is_running()

    assert process.poll() == 0
    assert "left politely" in process.log_tail()


def test_insists_after_its_grace(program: Callable[..., Process]) -> None:
    """A program that ignores its signal is killed when its grace is over."""
    process = program(STUBBORN, grace=0.3)
    process.start()

    assert process.stop() == -signal.SIGKILL


def test_kill_is_a_crash(program: Callable[..., Process]) -> None:
    """It ends at once, without a chance to say anything."""
    process = program(POLITE)
    process.start()
    process.kill()

    assert process.wait() == -signal.SIGKILL
    assert "left politely" not in process.log_tail()


def test_anyone_may_kill_it(program: Callable[..., Process]) -> None:
    """The pid is the program's own, and its end is noticed."""
    process = program(POLITE)
    process.start()
    os.kill(process.pid, signal.SIGKILL)

    assert process.wait(5) == -signal.SIGKILL


def test_an_exit_code_comes_through(program: Callable[..., Process]) -> None:
    """The exit code is the program's, not its guard's."""
    process = program("import sys; sys.exit(7)", ready=None)
    process.start()

    assert process.wait(5) == 7


def test_running_on_is_a_timeout(program: Callable[..., Process]) -> None:
    """To wait for a while is not to wait for ever."""
    with program(POLITE) as process, pytest.raises(TimeoutError, match="it is still running"):
        process.wait(0.05)


def test_an_early_end_is_explained(program: Callable[..., Process]) -> None:
    """When it ends before it is ready, the error quotes what it said last."""
    process = program("import sys; sys.exit('no such luck')")

    with pytest.raises(StackError, match=r"(?s)exit code 1 before it was ready.*no such luck"):
        process.start()


def test_only_this_run_is_quoted(program: Callable[..., Process], log: Path) -> None:
    """What an earlier run has logged is kept but not blamed."""
    log.parent.mkdir()
    log.write_text("old trouble\n")
    process = program("import sys; sys.exit('new trouble')")

    with pytest.raises(StackError) as raised:
        process.start()

    assert "old trouble" not in str(raised.value)
    assert log.read_text() == "old trouble\nnew trouble\n"


def test_a_deadline_passes(program: Callable[..., Process]) -> None:
    """A program that never gets ready is killed, and the error says how long it had."""
    process = program("import time; time.sleep(60)", deadline=0.2)

    with pytest.raises(StackError, match="it was not ready within 0 s"):
        process.start()

    assert process.poll() == -signal.SIGKILL


def test_a_missing_program_is_named(log: Path) -> None:
    """What cannot be executed is an error at once, not an exit code later."""
    process = Process(Program(name="it", command=["/no/such/program"], log=log))

    with pytest.raises(StackError, match=r"it cannot be started: .*No such file"):
        process.start()


def test_a_terminal_does_not_reach_it(program: Callable[..., Process]) -> None:
    """It leads a session of its own, so Ctrl-C reaches only whoever started it."""
    with program(POLITE) as process:
        assert os.getsid(process.pid) == process.pid
        assert os.getpgid(process.pid) == process.pid


def test_what_it_started_ends_with_it(
    program: Callable[..., Process], log: Path, gone: Callable[[int], bool]
) -> None:
    """Its own children do not stay when it ends."""
    process = program(
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, "up", flush=True)
        sys.exit(child.wait())
        """
    )
    process.start()
    grandchild = psutil.Process(int(log.read_text().split()[0]))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(5)

    assert gone(grandchild.pid)


def test_environment_and_directory(program: Callable[..., Process], tmp_path: Path) -> None:
    """It sees the environment that was given and no other, where it was told to run."""
    code = "import os; print(sorted(os.environ), os.getcwd(), 'up', flush=True); input()"
    process = program(code, ready=None, environment={"ONLY": "this"}, directory=tmp_path)
    process.start()
    process.wait(5)

    assert f"['LC_CTYPE', 'ONLY'] {tmp_path}" in process.log_tail()


@pytest.mark.parametrize("code", [POLITE, STUBBORN], ids=["polite", "stubborn"])
def test_nothing_survives_the_console(code: str, log: Path, gone: Callable[[int], bool]) -> None:
    """After SIGKILL of whoever started it, it is stopped: politely, then hard."""
    log.parent.mkdir()
    parent, child = start_parent(log, code, grace=1)
    parent.kill()
    parent.wait()

    assert gone(child)
    assert ("left politely" in log.read_text()) is (code is POLITE)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent death signal")
def test_nothing_survives_its_guard(
    program: Callable[..., Process], gone: Callable[[int], bool]
) -> None:
    """Even when the guard is killed, the program goes with it."""
    process = program(POLITE)
    process.start()
    child = process.pid
    psutil.Process(child).parent().kill()  # type: ignore[union-attr]  # the guard

    assert gone(child)
    assert process.stop() == -signal.SIGKILL


def start_parent(log: Path, code: str, *, grace: float) -> tuple[subprocess.Popen[str], int]:
    """Return a process that has started a program, and the program's pid."""
    parent = subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-c", PARENT, log, code, str(grace)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent.stdout as out:  # type: ignore[union-attr]  # it is a pipe
        return parent, int(out.readline())
