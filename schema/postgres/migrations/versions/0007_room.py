"""Room in the pages of what every event updates."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    # Neither reads nor writes a row, and keeps nobody out but maintenance. Pages that are full get
    # room as their rows are updated, or all of them at once by VACUUM FULL or clerkwork rebuild.
    op.execute("ALTER TABLE users SET (fillfactor = 70)")
    op.execute("ALTER TABLE user_data SET (fillfactor = 85)")


def downgrade() -> None:
    op.execute("ALTER TABLE user_data RESET (fillfactor)")
    op.execute("ALTER TABLE users RESET (fillfactor)")
