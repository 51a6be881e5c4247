"""What a rebuild says: rows and columns by name, personal data only where it is asked for."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from deploy.letters.mask import MASK
from deploy.rebuild.compare import MOST_SHOWN, Comparison, Difference
from deploy.rebuild.run import Rebuilt
from deploy.rebuild.settle import Settled
from deploy.rebuild.shadow import TABLES
from deploy.rebuild.show import HARMLESS, tell_differences, tell_end, tell_filled, tell_json
from deploy.rebuild.swap import Swapped
from schema.postgres.tables import METADATA


def _difference(column: str | None, live: Any, rebuilt: Any) -> Difference:
    return Difference(table="users", key="user_1", column=column, live=live, rebuilt=rebuilt)


def _comparison(*shown: Difference, rows: int = 1) -> Comparison:
    return Comparison(
        table="users",
        only_live=0,
        only_rebuilt=0,
        differing=rows,
        columns={"role": rows},
        shown=shown,
    )


def _said(*shown: Difference, unmask: bool = False, rows: int = 1) -> list[str]:
    file = io.StringIO()
    console = Console(file=file)
    tell_differences([_comparison(*shown, rows=rows)], unmask=unmask, console=console)
    return file.getvalue().splitlines()[1:]


@pytest.mark.parametrize(
    ("difference", "masked", "unmasked"),
    [
        (_difference("role", "user", "admin"), "role: user -> admin", "role: user -> admin"),
        (_difference("first_name", "Ada", None), f"first_name: {MASK} -> null", None),
        (
            _difference("public_metadata", {}, {"a": "Ada"}),
            None,
            'public_metadata: {} -> {"a":"Ada"}',
        ),
        (_difference("erase_at", None, "2026-01-01"), "erase_at: null -> 2026-01-01", None),
        (_difference("email_verified", True, False), "email_verified: true -> false", None),
        (_difference("external_id", "Ada", "Bo"), f"external_id: {MASK} -> {MASK}", None),
        (_difference("slug", "a\nb", "\x1b[2J"), f"slug: {MASK} -> {MASK}", "slug: a�b -> �[2J"),
    ],
)
def test_what_is_personal_is_masked(
    difference: Difference, masked: str | None, unmasked: str | None
) -> None:
    """Whether there is something is said; control characters never reach the terminal."""
    assert masked is None or _said(difference) == [f"users user_1 {masked}"]
    assert unmasked is None or _said(difference, unmask=True) == [f"users user_1 {unmasked}"]


@pytest.mark.parametrize("live", [True, False])
def test_rows_of_one_side_are_named(*, live: bool) -> None:
    """By their key alone."""
    side = "only live" if live else "only rebuilt"

    assert _said(_difference(None, live, not live)) == [f"users user_1: {side}"]


def test_what_is_not_shown_is_counted() -> None:
    """A table of which everything differs fills no screen."""
    said = _said(_difference("role", "user", "admin"), rows=MOST_SHOWN + 5)

    assert said[-1] == "users … and 5 rows more"


def test_nothing_personal_is_harmless() -> None:
    """Every column that is shown was looked at: a new one is masked until somebody has."""
    shown = {
        column.name
        for table in TABLES
        for column in METADATA.tables[table].columns
        if column.name in HARMLESS or column.name.endswith("_at")
    }

    assert shown >= HARMLESS
    assert not shown & {"email", "first_name", "last_name", "username", "ip_address", "device"}
    assert not shown & {"image_url", "external_id", "public_metadata", "value", "name", "slug"}


def _settled(*, rows: int, swapped: bool) -> Settled:
    return Settled(
        comparisons=[_comparison(_difference("first_name", "Ada", "Bo"), rows=rows)],
        swapped=Swapped(told=3, readers_waited_s=0.01) if swapped else None,
        writers_waited_s=0.25,
    )


@pytest.mark.parametrize(
    ("settled", "said"),
    [
        (_settled(rows=0, swapped=False), "The tables are what the events make;"),
        (_settled(rows=2, swapped=False), "2 rows differ; nothing was changed."),
        (_settled(rows=2, swapped=True), "others are told of 3 users. Writers waited for 0.25 s,"),
    ],
)
def test_the_end_says_what_was_done(settled: Settled, said: str) -> None:
    """In one line."""
    file = io.StringIO()
    tell_end(settled, keep=False, console=Console(file=file))

    assert said in file.getvalue()
    assert file.getvalue().count("\n") == 1


def test_what_cannot_be_applied_is_counted_by_reason() -> None:
    """The most frequent first."""
    file = io.StringIO()
    failed = Counter({"poison.decode: $.data.id": 2, "bug: KeyError": 7})
    tell_filled(900, 2.0, failed, Console(file=file))

    assert file.getvalue().splitlines() == [
        "900 records applied anew in 2.0 s (450/s).",
        "9 of them cannot be applied, and are in no table:",
        "       7  bug: KeyError",
        "       2  poison.decode: $.data.id",
    ]


def test_json_is_masked_too() -> None:
    """And says all of it in a line."""
    file = io.StringIO()
    rebuilt = Rebuilt(settled=_settled(rows=2, swapped=True), records=9, seconds=1.5)
    tell_json(rebuilt, unmask=False, console=Console(file=file))
    found = json.loads(file.getvalue())

    assert (found["equal"], found["swapped"], found["told"]) == (False, True, 3)
    assert found["tables"]["users"]["differing"] == 2
    assert [each["live"] for each in found["differences"]] == [MASK]
