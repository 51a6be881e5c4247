"""Run the doctor: look, tell, and say whether something is wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine, has_wrong
from deploy.doctor.show import show

if TYPE_CHECKING:
    from rich.console import Console


def run_doctor(console: Console, *, as_json: bool) -> int:
    """Examine the environment, print what was found; return 1 when something is wrong."""
    with structlog.testing.capture_logs():
        findings = asyncio.run(examine(CHECKS))
    show(findings, as_json=as_json, console=console)
    return 1 if has_wrong(findings) else 0
