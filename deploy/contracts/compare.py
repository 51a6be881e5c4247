"""Find where two layers of the contracts disagree. Pure."""

from __future__ import annotations

import re
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
)

from msgspec.structs import fields
from pydantic import JsonValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from msgspec import Struct
    from pydantic import BaseModel

    from deploy.contracts.catalog import Facts
    from schema.postgres.contracts import Decision


class Drift(NamedTuple):
    """A disagreement: where, and what differs."""

    table: str
    column: str
    """Empty where the whole table is meant."""
    problem: str

    def __str__(self) -> str:
        return f"{'.'.join(filter(None, self[:2]))}: {self.problem}"


def compare_facts(left: Facts, right: Facts, *, names: tuple[str, str]) -> Iterator[Drift]:
    """Yield what the two, called `names`, say differently; of what one lacks, only that."""
    in_left, in_right = _parts(left), _parts(right)
    for table, column in sorted(in_left ^ in_right):
        if column and (table, "") in in_left ^ in_right:
            continue  # its table is missing altogether
        here, there = names if (table, column) in in_left else names[::-1]
        yield Drift(table, column, f"is in {here}, not in {there}")
    for subject in dict.fromkeys([*left, *right]):
        said = [facts.get(subject, "missing") for facts in (left, right)]
        if subject[:2] in in_left & in_right and said[0] != said[1]:
            problem = f"{subject.aspect} is {said[0]} in {names[0]}, {said[1]} in {names[1]}"
            yield Drift(subject.table, subject.column, problem)


def compare_tables(found: Facts, declared: Facts) -> Iterator[Drift]:
    """Yield where the database is not as tables.py declares it."""
    yield from compare_facts(found, declared, names=("the database", "tables.py"))


def compare_decisions(
    decisions: Mapping[str, Decision], rows: Mapping[str, type[Struct]]
) -> Iterator[Drift]:
    """Yield tables and columns that are not decided, and contracts that rows do not keep."""
    for table in sorted(decisions.keys() | rows.keys()):
        if table not in rows:
            yield Drift(table, "", "is decided in contracts.py, not in rows.py")
        elif table not in decisions:
            yield Drift(table, "", "is in rows.py, not decided in contracts.py")
        else:
            columns = {field.name: field.type for field in fields(rows[table])}
            yield from _compare_decision(table, decisions[table], columns)
            for contract in decisions[table].contracts:
                yield from _compare_contract(table, contract, columns)


def _parts(facts: Facts) -> set[tuple[str, str]]:
    return {part for each in facts for part in ((each.table, ""), (each.table, each.column))}


def _compare_decision(
    table: str, decision: Decision, columns: Mapping[str, object]
) -> Iterator[Drift]:
    exposed = {name for contract in decision.contracts for name in contract.model_fields}
    for column in columns:
        if column not in exposed | decision.internal.keys():
            yield Drift(table, column, "is in rows.py, neither in a contract nor internal")
    for column, reason in decision.internal.items():
        if column not in columns:
            yield Drift(table, column, "is internal in contracts.py, not in rows.py")
        if column in exposed:
            yield Drift(table, column, "is internal and in a contract")
        if not reason.strip():
            yield Drift(table, column, "is internal without a reason")


def _compare_contract(
    table: str, contract: type[BaseModel], columns: Mapping[str, object]
) -> Iterator[Drift]:
    name = contract.__name__
    for column, field in contract.model_fields.items():
        if column not in columns:
            yield Drift(table, column, f"is in {name}, not in rows.py")
            continue
        promised, held = _members(field.annotation), _members(columns[column])
        if type(None) in held - promised:
            yield Drift(table, column, f"may be null in rows.py, never is in {name}")
        if type(None) in promised - held:
            yield Drift(table, column, f"is never null in rows.py, may be in {name}")
        if not _keeps(promised - {type(None)}, held - {type(None)}):
            problem = f"is {_spell(columns[column])} in rows.py, {_spell(field.annotation)}"
            yield Drift(table, column, f"{problem} in {name}")


def _members(annotation: Any) -> frozenset[Any]:
    """Return what a union is made of, each string of a Literal as a Literal of its own."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _members(arguments[0])
    if origin in (Union, UnionType):
        return frozenset(member for each in arguments for member in _members(each))
    if origin is Literal:
        return frozenset(Literal[value] for value in arguments)
    return frozenset({annotation})


def _keeps(promised: frozenset[Any], held: frozenset[Any]) -> bool:
    """Tell whether all that is held is promised, and no value is promised that cannot be."""
    impossible = {each for each in promised - held if get_origin(each) is Literal}
    return not impossible and all(_is_promised(each, promised) for each in held)


def _is_promised(member: Any, promised: frozenset[Any]) -> bool:
    if get_origin(member) is Literal:
        return bool({member, type(get_args(member)[0])} & promised)
    if getattr(member, "__name__", "") == "Json":  # text to us, any JSON to who reads it
        return all(each is JsonValue or get_origin(each) in (dict, list) for each in promised)
    return member in promised


def _spell(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    return re.sub(r"\b\w+\.", "", str(annotation))
