"""How far backfill and reconcile have come."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE sweeps (
            kind text NOT NULL,
            resource text NOT NULL,
            cursor text,
            changed_until bigint,
            seen bigint NOT NULL DEFAULT 0,
            published bigint NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL,
            noted_at timestamptz NOT NULL,
            finished_at timestamptz,
            CONSTRAINT sweeps_pkey PRIMARY KEY (kind, resource),
            CONSTRAINT sweeps_kind_check CHECK (kind IN ('backfill', 'reconcile')),
            CONSTRAINT sweeps_resource_check CHECK (
                resource IN ('users', 'organizations', 'memberships', 'sessions')
            )
        )
    """)
    _comment(COMMENTS)


def downgrade() -> None:
    op.execute("DROP TABLE sweeps")


def _comment(comments: list[tuple[str, str | None, str]]) -> None:
    for table, column, comment in comments:
        place = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        quoted = comment.replace("'", "''")
        op.execute(f"COMMENT ON {place} IS '{quoted}'")


COMMENTS: list[tuple[str, str | None, str]] = [
    ("sweeps", None, "How far backfill and reconcile have come, one row for each resource."),
    ("sweeps", "kind", "backfill | reconcile"),
    ("sweeps", "resource", "users | organizations | memberships | sessions"),
    ("sweeps", "cursor", "where to go on; null at the beginning, and once it is finished"),
    (
        "sweeps",
        "changed_until",
        "updated_at in ms up to which all changes at Clerk were looked at; null before the first that was finished",
    ),
    ("sweeps", "seen", "how many Clerk had"),
    ("sweeps", "published", "how many of them were put on Kafka"),
    ("sweeps", "started_at", "when it began; the snapshots it publishes bear this time"),
    ("sweeps", "noted_at", "when this was written"),
    ("sweeps", "finished_at", "when it was through; null while it runs or after a crash"),
]
