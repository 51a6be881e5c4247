"""Trace statements: a span for each, with its name, never with its text or its arguments.

https://opentelemetry.io/docs/specs/semconv/database/postgresql/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.database import Connections, Database, Statement
from schema.ops.tracing.tracer import SpanKind, Tracer, current_trace_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg


class TracingDatabase(Database):
    """A database that traces; nobody imports it where nobody collects traces."""

    def __init__(self, pool: Connections, *, tracer: Tracer, **arguments: Any) -> None:
        super().__init__(pool, **arguments)
        self._tracer = tracer

    async def fetch(
        self, statement: Statement, *arguments: object, **bounds: float | None
    ) -> Sequence[asyncpg.Record]:
        """Return the rows that `statement` finds, as Database does; probes are not traced."""
        if current_trace_id() is None:
            return await super().fetch(statement, *arguments, **bounds)
        with self._tracer.span(
            statement.name,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.summary": statement.name},
        ) as span:
            rows = await super().fetch(statement, *arguments, **bounds)
            span.set_attribute("db.response.returned_rows", len(rows))
            return rows
