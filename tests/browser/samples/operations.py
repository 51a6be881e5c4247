"""Operations: one that runs, one that broke off, some that are done."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Final

from deploy.desk.models.operations import OperationPage, OperationRow
from tests.browser.samples.made_up import OPERATOR, ago, facts


def operation(number: int) -> OperationRow:
    """Return one of six: the first runs, the second has broken off."""
    state = ("running", "broken", "finished", "finished", "finished", "finished")[number]
    action = ("replay", "replay", "reveal", "edit", "purge", "replay")[number]
    planned = (1204, 38, 1, 1, 3, 412)[number]
    return OperationRow(
        id=str(uuid.UUID(int=0x01930F5AC0DE70009B1C2D3E4F500000 + number)),
        action=action,
        operator=OPERATOR if number % 2 == 0 else "ada@ops-1",
        started_at=ago(minutes=2 + 55 * number),
        finished_at=ago(minutes=1 + 55 * number) if state == "finished" else None,
        planned=planned,
        done={"running": 451, "broken": 12}.get(state, planned),
        state=state,
        asked=facts(state="open", error_class="poison.data") if number % 3 == 0 else (),
        url=f"/operations/{number}",
    )


RUNNING: Final = OperationPage(
    row=operation(0),
    share=451 / 1204,
    problem="",
    letters_url="/letters?operation=1",
    progress_url="/operations/0/progress",
    resume_url="",
)
BROKEN: Final = OperationPage(
    row=operation(1),
    share=12 / 38,
    problem="Kafka does not take the letters.",
    letters_url="",
    progress_url="/operations/1/progress",
    resume_url="/operations/1/resume",
)
FINISHED: Final = replace(RUNNING, row=operation(5), share=1.0)
