"""The demonstration, as a stranger runs it."""

from __future__ import annotations

import subprocess
import sys

from deploy.environment import ROOT


def test_the_demonstration_holds_every_promise_and_leaves_plain_lines() -> None:
    """In a pipe: exit code 0, twelve promises held, the worker killed on the way, no escapes."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "demo", "--users", "30", "--seed", "7"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=280,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    assert "worker killed with SIGKILL" in done.stdout
    assert done.stdout.count("\n✓ ") == 12
    assert "12 of 12 promises held" in done.stdout.splitlines()[-1]
