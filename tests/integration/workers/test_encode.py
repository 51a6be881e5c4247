"""Arrays reach PostgreSQL as they are, and anything else is refused."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import asyncpg.protocol.protocol as driver
import pytest

from workers.encode import mend_arrays

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]

VALUES: dict[str, list[Any]] = {
    "text": ["", "NULL", '{"', "ü", None, "user_1"],
    "uuid": [uuid.UUID(int=7), None],
    "timestamptz": [dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC), None],
    "bigint": [0, -1, 2**62, None],
    "boolean": [True, False, None],
    "jsonb": ['{"a": [1, null]}', "[]", None],
}


@pytest.fixture(autouse=True)
def _mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a worker has it, in this test alone."""
    monkeypatch.setattr(driver, "IterableABC", None)  # undone in the end
    mend_arrays()


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("times", [0, 1, 700])
async def test_an_array_comes_back_as_it_was(pool: Pool, kind: str, times: int) -> None:
    """Of every type that a batch is made of, missing values and the empty array among them."""
    values = VALUES[kind] * times
    assert await pool.fetchval(f"SELECT $1::{kind}[]", values) == values
    assert await pool.fetchval(f"SELECT $1::{kind}[]", tuple(values)) == values


async def test_arrays_of_arrays_are_arrays(pool: Pool) -> None:
    """As PostgreSQL has them."""
    assert await pool.fetchval("SELECT $1::bigint[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("value", [{"a"}, {"a": 1}, "a", 1])
async def test_nothing_else_is_an_array(pool: Pool, value: Any) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(asyncpg.DataError):
        await pool.fetchval("SELECT $1::text[]", value)
