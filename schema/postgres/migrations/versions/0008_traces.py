"""Which trace a change belongs to."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    # Without a default no row is written again: this takes no longer than its lock.
    op.execute("ALTER TABLE outbox ADD COLUMN traceparent text")
    op.execute(
        "COMMENT ON COLUMN outbox.traceparent IS 'W3C Trace Context of the event that caused it; null where nothing is traced'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE outbox DROP COLUMN traceparent")
