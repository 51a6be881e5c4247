"""Settings from files: pydantic-settings' own source of secrets, which skips none in silence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import SecretsSettingsSource

from schema.ops.variables import DIRECTORY, VariableError, find_directory, find_variable

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PROBLEM: Final = "variable_file"
"""The type of validation errors that a file causes."""


class FilesSource(SecretsSettingsSource):
    """Looks into the directory that CLERKWORK_SECRETS_DIR names."""

    def __call__(self) -> dict[str, Any]:
        """Return what files say. Raises ValidationError that names the variables of bad ones."""
        problems: list[VariableError] = []
        for name in self.settings_cls.model_fields:
            try:
                find_variable(name.upper())
            except VariableError as problem:
                problems.append(problem)
                if problem.variable == DIRECTORY:
                    break
        if problems:
            raise ValidationError.from_exception_data(
                self.settings_cls.__name__, [_describe(each) for each in problems], hide_input=True
            )
        self.secrets_dir = find_directory()
        return super().__call__()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return what a file says; of no interest where the environment says something else."""
        if os.environ.get(field_name.upper()):
            return None, field_name, False
        return super().get_field_value(field, field_name)


def _describe(problem: VariableError) -> InitErrorDetails:
    words = PydanticCustomError(PROBLEM, "{reason}", {"reason": problem.reason})
    return InitErrorDetails(type=words, loc=(problem.variable.lower(),), input=None)
