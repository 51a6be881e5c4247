"""What a judge finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One promise, held or broken."""

    promise: str
    expected: str
    found: str
    differences: Sequence[str]
    """What is not as expected, a line each; none where the promise was held."""

    @property
    def held(self) -> bool:
        """Whether it was held."""
        return not self.differences


def compare(
    expected: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Say which keys are missing or too many, and which columns of the others differ."""
    differences = [f"{key} is missing" for key in expected.keys() - found.keys()]
    differences += [f"{key} should not be there" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        one, other = expected[key], found[key]
        columns = [name for name in {**one, **other} if one.get(name, ...) != other.get(name, ...)]
        if columns:
            differences.append(f"{key} differs in {', '.join(columns)}")
    return differences
