"""What the statements of each process need, as PostgreSQL itself sees it when it has read them.

It tells the tables, columns and rights of a statement before it plans it.
https://www.postgresql.org/docs/18/runtime-config-logging.html#GUC-DEBUG-PRINT-REWRITTEN
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.letters.select import over_matching
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

ROOT: Final = Path(__file__).parents[4]

_LETTERS: Final = tuple(
    f"deploy/letters/{name}.sql"
    for name in ("count", "edit", "list", "operate", "plan", "purge", "show")
)

RUNS: Final[Mapping[str, Sequence[str]]] = {
    "worker": ("workers/*.sql",),
    "relay": ("workers/relay/*.sql",),
    "api": ("api/**/*.sql",),
    "desk": (
        *("deploy/desk/**/*.sql", "api/admit.sql", "workers/relay/measure.sql"),
        *("deploy/line.sql", "deploy/trace.sql", *_LETTERS),
    ),
    "operator": (
        *("deploy/audit.sql", "deploy/line.sql", "deploy/restore.sql", "deploy/trace.sql"),
        *("deploy/backfill/*.sql", "deploy/clerk/*.sql", "deploy/reconcile/*.sql"),
        *("deploy/connect/*.sql", "deploy/doctor/*.sql", *_LETTERS),
        *("deploy/tell.sql", "workers/tell.sql", "workers/relay/measure.sql"),
    ),
}
"""Process -> the files of its statements."""

BESIDES: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "operator": {"deploy/partitions.sql": ("list_partitions", "count_by_month", "find_taken")},
}
"""Process -> file -> the statements that it runs of those of others."""

OWNERS: Final = (
    *("deploy/migrate.sql", "deploy/partitions.sql", "deploy/maintain/*.sql"),
    *("deploy/rebuild/*.sql", "deploy/rehearse/*.sql", "deploy/contracts/*.sql"),
    *("deploy/rights/*.sql", "deploy/demo/*.sql", "deploy/erase/*.sql", "deploy/rewind/*.sql"),
)
"""Those that run as the owner of the tables."""

PARTS: Final = ("deploy/letters/select.sql",)
"""Those that only stand within others."""

_PLACE: Final = re.compile(
    r"\{RTEPERMISSIONINFO :relid (\d+) :inh \w+ :requiredPerms (\d+) :checkAsUser \d+"
    r" :selectedCols \(b([ \d]*)\) :insertedCols \(b([ \d]*)\) :updatedCols \(b([ \d]*)\)\}"
)
_BITS: Final = {1: "INSERT", 2: "SELECT", 4: "UPDATE", 8: "DELETE"}
"""src/include/utils/acl.h, ACL_INSERT and the next."""

_FIRST: Final = 7
"""Columns are numbered from here on; below are those of the system."""


class Use(NamedTuple):
    """A privilege on a table and a column that it is used with: none where all rows are meant."""

    table: str
    privilege: str
    column: str | None


def find_files(patterns: Sequence[str]) -> set[Path]:
    """Return the files."""
    return {path for pattern in patterns for path in ROOT.glob(pattern)}


def statements_of(process: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of all that a process says to the database."""
    for path in sorted(find_files(RUNS[process])):
        read = over_matching(read_statements(str(path)))
        running = read.pop("running", "")
        for name, text in read.items():
            yield f"{path.relative_to(ROOT)} {name}", text.replace(":running", running)
    for place, names in BESIDES.get(process, {}).items():
        known = read_statements(str(ROOT / place))
        yield from ((f"{place} {name}", known[name]) for name in names)


class Reader:
    """Has PostgreSQL read statements, none of which is run."""

    def __init__(self, database: Database, columns: Mapping[int, Mapping[int, str]]) -> None:
        self._database = database
        self._tables = columns
        self._said: list[str] = []
        database.add_log_listener(
            lambda _, message: self._said.append(getattr(message, "detail", None) or "")
        )

    async def find_uses(self, statement: str) -> set[Use]:
        """Return what a statement needs of tables that are not its session's own."""
        self._said.clear()
        await self._database.prepare(statement)
        return {use for said in self._said for use in self._read(said)}

    def _read(self, tree: str) -> Iterator[Use]:
        for relation, bits, *lists in _PLACE.findall(" ".join(tree.split())):
            if not (names := self._tables.get(int(relation))):
                continue
            columns = dict(zip(("SELECT", "INSERT", "UPDATE"), lists, strict=True))
            for bit, privilege in _BITS.items():
                if int(bits) & bit:
                    numbers = [int(each) - _FIRST for each in columns.get(privilege, "").split()]
                    used: set[str | None] = {names[number] for number in numbers if number in names}
                    for column in used or {None}:
                        yield Use(names[0], privilege, column)


async def open_reader(database: Database) -> Reader:
    """Return what reads statements, in a session of its own with reconcile's tables."""
    rows = await database.fetch("""
        SELECT attrelid::bigint AS relation, attnum::integer AS number, attname AS name,
            attrelid::regclass::text AS table
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
            AND NOT attisdropped AND attnum > 0
    """)
    columns: dict[int, dict[int, str]] = {}
    for row in rows:
        of_table = columns.setdefault(row["relation"], {0: row["table"]})
        of_table[row["number"]] = row["name"]
    comparing = read_statements(str(ROOT / "deploy/reconcile/compare.py"))
    await database.execute(comparing["make_room"])
    await database.execute("SET client_min_messages = log; SET debug_print_rewritten = on")
    await database.execute("SET debug_pretty_print = off")
    return Reader(database, columns)
