"""Cures that nobody needs now: they work as printed, and harm nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.environment import ROOT
from tests.runbook import read_sections

if TYPE_CHECKING:
    from tests.integration.deploy.runbook.stage import Stage

REHEARSALS = yaml.safe_load(
    (ROOT / "tests/integration/deploy/runbook/rehearsals.yml").read_text("utf-8")
)
ALONE = ("reconcile", "kafka-consumer-groups", "clerkwork audit")
"""What concerns more than this stage, as the topics of all tests; its own tests run it."""
SCRIPTS = sorted(
    {
        script
        for section in read_sections().values()
        if section.name not in REHEARSALS["printed"]
        for script in section.cures
        if not any(word in script for word in ALONE)
    }
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.splitlines()[0][:40])
async def test_a_cure_works_and_harms_nobody(stage: Stage, script: str) -> None:
    """Exit code 0, and events come through as before."""
    await stage.run(script)
    await stage.until_known(await stage.tell())
