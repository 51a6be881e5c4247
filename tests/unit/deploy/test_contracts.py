"""Rows from facts, and contracts against rows."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NewType

import pytest
from msgspec import Struct
from pydantic import BaseModel, JsonValue

from deploy.contracts.annotate import list_values
from deploy.contracts.catalog import Subject
from deploy.contracts.compare import compare_decisions
from deploy.contracts.parse import read_rows
from deploy.contracts.write import write_rows
from deploy.environment import ROOT
from deploy.errors import OperatorError
from schema.postgres.contracts import DECISIONS, Decision
from schema.postgres.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.contracts.catalog import Facts

Json = NewType("Json", str)


def _facts(**columns: tuple[str, str, str]) -> Facts:
    """Return the facts of a table `things`: column -> type, nullability, comment."""
    facts = {}
    for name, (kind, nullability, comment) in columns.items():
        facts[Subject("things", name, "type")] = kind
        facts[Subject("things", name, "nullability")] = nullability
        facts[Subject("things", name, "comment")] = comment
    return facts


@pytest.mark.parametrize(
    ("check", "values"),
    [
        ("CHECK ((role = ANY (ARRAY['user'::text, 'admin'::text])))", ["user", "admin"]),
        ("CHECK ((role = 'user'::text))", ["user"]),
        (
            (
                "CHECK (((role)::text = ANY ((ARRAY['a'::character varying, 'b, c'::character"
                " varying])::text[])))"
            ),
            ["a", "b, c"],
        ),
        ("CHECK ((\"order\" = ANY (ARRAY['it''s'::text])))", ["it's"]),
        ("CHECK (((role = ANY (ARRAY['a'::text])) OR (id IS NULL)))", []),
        ("CHECK ((role = ANY (ARRAY['a'::text]))) NOT VALID", []),
        ("CHECK ((role <> 'user'::text))", []),
        ("CHECK ((char_length(title) < 10))", []),
        ("PRIMARY KEY (id)", []),
    ],
)
def test_a_check_that_lists_values_is_understood(check: str, values: Sequence[str]) -> None:
    """One that says anything else limits no type."""
    assert list_values([check]) == values


def test_what_is_written_is_formatted_and_clean() -> None:
    """Whatever the columns and comments are: long, quoted, listed, or not there."""
    long = ", ".join(f"'value number {number}'::text" for number in range(12))
    facts = {
        **_facts(
            id=("uuid", "NOT NULL", "the key"),
            kind=("text", "NULL", "word " * 60),
            tags=("text[]", "NOT NULL", 'ends with a "quote"'),
            price=("numeric(10,2)", "NULL", 'three """ quotes'),
            born_on=("date", "NOT NULL", "x" * 89),
            wait=("interval", "NOT NULL", "x" * 91),
            at=("timestamp(3) with time zone", "NULL", "y " * 46),
            data=("jsonb", "NOT NULL", "z"),
        ),
        Subject("things", "kind", "constraint c"): f"CHECK ((kind = ANY (ARRAY[{long}])))",
        Subject("things", "", "comment"): "what things are " * 10,
        Subject("user_data", "key", "type"): "character varying(10)",
        Subject("user_data", "key", "nullability"): "NOT NULL",
    }
    source = write_rows(facts)

    for command in (["format", "--diff"], ["check", "--no-cache"]):
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", "schema/x.py", "-"],
            input=source,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    said = read_rows(source)
    assert said[Subject("things", "tags", "type")] == "list[str]"
    assert said[Subject("things", "tags", "comment")] == 'ends with a "quote"'
    assert said[Subject("things", "price", "type")] == "Decimal | None"
    assert said[Subject("things", "price", "comment")] == 'three """ quotes'
    assert said[Subject("things", "kind", "type")].startswith("Literal['value number 0', ")
    assert said[Subject("user_data", "key", "type")] == "str"


@pytest.mark.parametrize(
    ("column", "kind", "reason"),
    [("place", "point", "no Python type for point"), ("class", "text", "no such name")],
)
def test_what_python_cannot_say_is_refused(column: str, kind: str, reason: str) -> None:
    """By table and column."""
    with pytest.raises(OperatorError, match=rf"things\.{column}: .*{reason}"):
        write_rows(_facts(**{column: (kind, "NULL", "")}))


class ThingsRow(Struct):
    """A row as it might be generated."""

    id: int
    name: str | None
    kind: Literal["a", "b"]
    data: Json


class _Fitting(BaseModel):
    id: int
    name: str | None
    kind: Literal["b", "a"]
    data: dict[str, JsonValue]


class _Looser(BaseModel):
    id: int | None
    kind: str


class _Stricter(BaseModel):
    name: str
    kind: Literal["a"]


class _Impossible(BaseModel):
    kind: Literal["a", "b", "c"]


class _Other(BaseModel):
    id: datetime
    data: str
    gone: int


@pytest.mark.parametrize(
    ("contract", "named"),
    [
        (_Fitting, set()),
        (_Looser, {"things.id: is never null in rows.py, may be in _Looser"}),
        (
            _Stricter,
            {
                "things.name: may be null in rows.py, never is in _Stricter",
                "things.kind: is Literal['a', 'b'] in rows.py, Literal['a'] in _Stricter",
            },
        ),
        (
            _Impossible,
            {"things.kind: is Literal['a', 'b'] in rows.py, Literal['a', 'b', 'c'] in _Impossible"},
        ),
        (
            _Other,
            {
                "things.id: is int in rows.py, datetime in _Other",
                "things.data: is Json in rows.py, str in _Other",
                "things.gone: is in _Other, not in rows.py",
            },
        ),
    ],
)
def test_a_contract_that_the_row_does_not_keep_is_named(
    contract: type[BaseModel], named: set[str]
) -> None:
    """By table, column and what differs; promising less precisely is allowed, more is not."""
    rest = ThingsRow.__struct_fields__
    internal = {name: "why" for name in rest if name not in contract.model_fields}
    decision = Decision(contracts=(contract,), internal=internal)

    found = {str(each) for each in compare_decisions({"things": decision}, {"things": ThingsRow})}

    assert found == named


def test_every_column_is_decided_once() -> None:
    """A new table or column waits for its decision, a dropped one is not forgotten."""
    decision = Decision(contracts=(_Stricter,), internal={"name": "no", "id": " ", "old": "gone"})
    rows = {"things": ThingsRow, "new": ThingsRow}

    found = {str(each) for each in compare_decisions({"things": decision, "old": decision}, rows)}

    assert found >= {
        "new: is in rows.py, not decided in contracts.py",
        "old: is decided in contracts.py, not in rows.py",
        "things.data: is in rows.py, neither in a contract nor internal",
        "things.name: is internal and in a contract",
        "things.id: is internal without a reason",
        "things.old: is internal in contracts.py, not in rows.py",
    }


def test_our_own_decisions_hold() -> None:
    """For the rows as they are committed."""
    assert list(compare_decisions(DECISIONS, ROWS)) == []
