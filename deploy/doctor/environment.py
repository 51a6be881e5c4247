"""Settings: whether each process would start with this environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from deploy.doctor.verdict import Verdict, fine, skip, wrong
from schema.ops.files import PROBLEM
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from pydantic_settings import BaseSettings

_VARIABLE: Final = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")


async def check_environment(settings: type[BaseSettings]) -> Verdict:
    """Look whether the variables that a process reads are there and valid.

    What is only missing may be set where that process runs, so it is not wrong.
    """
    try:
        settings()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        return _tell([each for each in problems if _is_set(each)], problems)
    return fine("all its variables are valid")


def _tell(invalid: list[ErrorDetails], problems: list[ErrorDetails]) -> Verdict:
    if not invalid:
        names = sorted({name for each in problems for name in _variables(each)})
        return skip(
            f"It would not start with this environment: {', '.join(names)} not set.",
            "Set them here too where it is this environment that it runs with.",
        )
    told = "; ".join(f"{', '.join(_variables(each))}: {each['msg']}" for each in invalid)
    return wrong(f"{told}.", "Correct the variable; it stops the process from starting.")


def _variables(problem: ErrorDetails) -> list[str]:
    if problem["loc"]:
        return [str(problem["loc"][0]).upper()]
    return _VARIABLE.findall(problem["msg"])


def _is_set(problem: ErrorDetails) -> bool:
    return problem["type"] == PROBLEM or any(map(find_variable, _variables(problem)))
