"""Stands between the console and one child, so that the child never outlives the console.

Run by `process.py` as a script with nothing but the standard library. The console holds the
other end of the pipe `--alive`: whatever ends the console closes that pipe, also SIGKILL, and
the guard then stops the child, first politely, later hard. Ends as the child ended.
"""

import argparse
import ctypes
import os
import resource
import select
import signal
import sys
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> NoReturn:
    """Run the command behind `--`, report its pid on `--report`, end as it ends."""
    options = _options(argv)
    wakeup = _wake_on_signals()
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(options, guard)
    os.write(options.report, b"pid %d\n" % child)
    os.close(options.report)
    status = _watch(child, options, wakeup)
    _end_group(child)
    _end_as(os.waitstatus_to_exitcode(status))


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--alive", type=int, required=True)
    parser.add_argument("--report", type=int, required=True)
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("command", nargs="+")
    return parser.parse_args(argv)


def _wake_on_signals() -> int:
    """Return a descriptor that becomes readable with the number of each signal that arrives."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def _become(options: argparse.Namespace, guard: int) -> NoReturn:
    try:
        os.setsid()
        if options.uid is not None:
            os.setgroups([])
            os.setgid(options.gid)
            os.setuid(options.uid)
        # After the change of user, which clears it. See prctl(2).
        _die_with(guard)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        os.set_inheritable(options.report, False)
        os.set_inheritable(options.alive, False)
        os.execvp(options.command[0], options.command)  # noqa: S606 - no shell is what we want
    except OSError as error:
        os.write(options.report, f"error {error}\n".encode())
    os._exit(127)


def _die_with(guard: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:  # it died before the line above
            os._exit(127)


def _watch(child: int, options: argparse.Namespace, wakeup: int) -> int:
    """Return the wait status of the child; stop it when the console is gone or says so."""
    descriptors = [options.alive, wakeup]
    hard_at = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        timeout = None if hard_at is None else max(0.0, hard_at - time.monotonic())
        readable, _, _ = select.select(descriptors, [], [], timeout)
        asked = set(os.read(wakeup, 512)) if wakeup in readable else set()
        if hard_at is None and (options.alive in readable or asked - {signal.SIGCHLD}):
            descriptors = [wakeup]
            hard_at = time.monotonic() + options.grace
            os.kill(child, options.signal)
        elif hard_at is not None and time.monotonic() >= hard_at:
            _end_group(child)
            hard_at = time.monotonic() + 1


def _end_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        return


def _end_as(code: int) -> NoReturn:
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
