"""Read what a list is asked for, and find it: filters, order, page. No I/O.

As Clerk's OpenAPI document of its Backend API says, version 2026-05-12.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from deploy.standin.refuse import invalid
from deploy.standin.shapes import primary_email

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from multidict import MultiMapping

    from deploy.standin.shapes import Thing

    _Test = Callable[[Thing], bool]

Key = tuple[bool, Any, str]
"""By what things are ordered: nothing last, and of two alike the lower id first."""

USER_ORDERS: Final = frozenset(
    {
        *("created_at", "updated_at", "email_address", "web3wallet", "first_name", "last_name"),
        *("phone_number", "username", "last_active_at", "last_sign_in_at"),
    }
)
ORGANIZATION_ORDERS: Final = frozenset({"name", "created_at", "members_count"})
MEMBERSHIP_ORDERS: Final = frozenset(
    {"phone_number", "email_address", "created_at", "first_name", "last_name", "username"}
)
_TIMES: Final = ("created_at", "last_active_at", "last_sign_in_at")
_MOST_LIMIT: Final = 500
_MOST_IDS: Final = 100


def read_page(query: MultiMapping[str]) -> tuple[int, int]:
    """Return offset and limit. Raises RefusedError."""
    limit = _number(query, "limit", 10)
    offset = _number(query, "offset", 0)
    if not 1 <= limit <= _MOST_LIMIT:
        raise invalid("limit", "must be between 1 and 500")
    if offset < 0:
        raise invalid("offset", "must be 0 or more")
    return offset, limit


def read_order(query: MultiMapping[str], known: frozenset[str]) -> tuple[str, bool]:
    """Return by which field, and whether the highest comes first. Raises RefusedError."""
    order = query.get("order_by") or "-created_at"
    # A plus that nobody escaped arrives as a space.
    name = order.lstrip("+- ") if order[0] in "+- " else order
    if name not in known:
        raise invalid("order_by", f"must be one of {', '.join(sorted(known))}")
    return name, order.startswith("-")


def read_cursor(query: MultiMapping[str], order: str) -> str | None:
    """Return the id after which the page begins. Raises RefusedError."""
    cursor = query.get("starting_after")
    if cursor is None:
        return None
    if order != "created_at":
        raise invalid("starting_after", "requires ordering by created_at")
    if query.get("offset", "0") != "0":
        raise invalid("starting_after", "cannot be combined with offset")
    return cursor


def select(
    things: Sequence[Thing],
    query: MultiMapping[str],
    parameter: str,
    id_of: Callable[[Thing], str],
) -> Sequence[Thing]:
    """Return those that the ids and times in the query leave. Raises RefusedError."""
    tests = [*_read_times(query), *_read_ids(query, parameter, id_of)]
    return [each for each in things if all(test(each) for test in tests)] if tests else things


def sort(things: Iterable[Thing], name: str, *, descending: bool) -> list[Thing]:
    """Return them in order; those alike always in the same one, by their ids."""
    return sorted(things, key=lambda thing: key_of(thing, name), reverse=descending)


def key_of(thing: Thing, name: str) -> Key:
    """Return where a thing stands in an order, lowest first."""
    value = _value(thing, name)
    return (value is None, value, thing["id"]) if value is not None else (True, 0, thing["id"])


def behind(cursor: Thing, ordered: Sequence[Thing], *, descending: bool) -> int:
    """Return where in a list by created_at the first behind `cursor` stands."""
    key = key_of(cursor, "created_at")

    def passed(index: int) -> bool:
        each = key_of(ordered[index], "created_at")
        return each < key if descending else each > key

    return bisect_left(range(len(ordered)), True, key=passed)


def _value(thing: Thing, name: str) -> Any:
    if name in thing:
        return thing[name]
    user = thing.get("public_user_data")
    if user is not None:
        return user["identifier"] if name == "email_address" else user.get(name)
    return primary_email(thing) if name == "email_address" else None


def _read_times(query: MultiMapping[str]) -> Iterator[_Test]:
    for name in _TIMES:
        if f"{name}_after" in query:
            yield _later(name, _number(query, f"{name}_after", 0))
        if f"{name}_before" in query:
            yield _earlier(name, _number(query, f"{name}_before", 0))


def _later(name: str, time_ms: int) -> _Test:
    return lambda thing: thing.get(name) is not None and thing[name] > time_ms


def _earlier(name: str, time_ms: int) -> _Test:
    return lambda thing: thing.get(name) is not None and thing[name] < time_ms


def _read_ids(
    query: MultiMapping[str], name: str, id_of: Callable[[Thing], str]
) -> Iterator[_Test]:
    # A plus that nobody escaped arrives as a space.
    ids = [each.strip() for each in query.getall(name, [])]
    if len(ids) > _MOST_IDS:
        raise invalid(name, "must be 100 at most")
    unwanted = {each[1:] for each in ids if each.startswith("-")}
    wanted = {each.removeprefix("+") for each in ids if not each.startswith("-")}
    if unwanted:
        yield lambda thing: id_of(thing) not in unwanted
    if wanted:
        yield lambda thing: id_of(thing) in wanted


def _number(query: MultiMapping[str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise invalid(name, "must be a number") from None
