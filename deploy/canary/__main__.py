"""`python -m deploy.canary`: fly until SIGTERM."""

from __future__ import annotations

from deploy.canary.run import run_canary
from deploy.terminal import open_console

if __name__ == "__main__":
    run_canary(open_console(), once=False)
