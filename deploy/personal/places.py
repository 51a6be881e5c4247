"""Where else personal data is, or could be taken to be: memory, logs, files, other programs."""

from __future__ import annotations

from typing import Final, NamedTuple


class Place(NamedTuple):
    """A place, and what it holds of people."""

    name: str
    holds: str
    readers: str
    until: str


PLACES: Final = (
    Place(
        "caches of the API, in memory",
        "public profiles and published posts; who may do what",
        "the API's callers",
        "the change that null tells drops them at once; 5 minutes, or a second for rights; with"
        " PostgreSQL away API_CACHE_STALE_S; a restart",
    ),
    Place(
        "what ingest remembers, in memory",
        "ids of commands, a hash of each body, the answers",
        "nobody",
        "10 minutes; a restart",
    ),
    Place(
        "verified tokens, in memory",
        "a hash of the token; user, organization and rights that it names",
        "nobody",
        "a minute, when the token ends; a restart",
    ),
    Place(
        "windows of rate limits: in memory, or Redis with `REDIS_URL`, keys `clerkwork…`",
        "user ids and IP addresses, with a count",
        "ingest, the API, the desk",
        "the window ends: a second to a day",
    ),
    Place(
        "sessions of the desk, in memory",
        "which administrator sits there",
        "the desk",
        "8 hours, or half an hour unused; a restart",
    ),
    Place(
        "pages of the desk, in an operator's browser",
        "ids; payloads are masked until somebody reveals one",
        "administrators",
        "nothing is stored there: every page is `no-store`",
    ),
    Place(
        "logs of all processes",
        "ids of users, organizations, events and requests; no payloads, addresses or names",
        "operators",
        "whoever keeps the logs",
    ),
    Place(
        "PostgreSQL's log",
        "what a constraint refuses is quoted, row and all, unless `log_error_verbosity` is"
        " `terse`, as embedded it is",
        "operators",
        "whoever keeps the logs",
    ),
    Place(
        "PostgreSQL's statistics, `pg_statistic`",
        "frequent and sample values of every column, for the planner",
        "owners of the tables",
        "the next ANALYZE; `clerkwork erase --now` runs it",
    ),
    Place(
        "metrics",
        "nothing: no label names anybody",
        "whoever scrapes them",
        "Prometheus",
    ),
    Place(
        "traces, with `OTEL_EXPORTER_OTLP_ENDPOINT`",
        "ids of events, no ids of users; no payloads, headers or SQL arguments",
        "whoever has the collector",
        "the collector",
    ),
    Place(
        "canaries",
        "nobody: their users do not exist",
        "everybody",
        "each flight ends with a deletion",
    ),
    Place(
        "tables of before a rebuild, in the schema `before_rebuild`, with `rebuild --keep`",
        "all that the tables held",
        "operators",
        "`DROP SCHEMA`; `clerkwork erase` says that they are there",
    ),
    Place(
        "a rehearsal's database",
        "a sample of all tables",
        "operators",
        "`migrate --rehearse` drops it at its end",
    ),
    Place(
        "the file of `dlq edit`",
        "one payload, readable by its owner alone",
        "the operator",
        "the end of the editor",
    ),
    Place(
        "files of PostgreSQL and Kafka",
        "what is deleted, until it is written over",
        "whoever has the disks",
        "`VACUUM`; `segment.ms`, 7 days",
    ),
    Place(
        "backups",
        "all of it",
        "whoever has them",
        "you: see [how to erase a person](how-to/erase.md)",
    ),
    Place(
        "Clerk, and services that read the change topics",
        "what they keep",
        "theirs",
        "deleting the user at Clerk; null on `user.changes`",
    ),
)
