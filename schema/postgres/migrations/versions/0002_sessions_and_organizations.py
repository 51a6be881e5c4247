"""Sessions, organizations, and what is derived from a user's events; deletions held back."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE users
            ADD COLUMN signup_source text
                CONSTRAINT users_signup_source_check CHECK (signup_source IN
                    ('clerk', 'invite', 'admin')),
            ADD COLUMN last_event_at timestamptz,
            ADD COLUMN deletion_event_id text,
            ADD COLUMN erase_at timestamptz,
            ADD COLUMN held_status text
                CONSTRAINT users_held_status_check CHECK (held_status IN
                    ('pending', 'active', 'banned', 'locked', 'deprovisioned')),
            ADD COLUMN restored_at timestamptz
    """)
    op.execute("""
        CREATE INDEX users_erase_at_idx ON users (erase_at) WHERE erase_at IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE organizations (
            id uuid NOT NULL,
            clerk_id text NOT NULL,
            name text,
            slug text,
            image_url text,
            public_metadata jsonb NOT NULL DEFAULT '{}',
            status text NOT NULL DEFAULT 'pending',
            created_at timestamptz,
            updated_at timestamptz,
            deleted_at timestamptz,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT '',
            CONSTRAINT organizations_pkey PRIMARY KEY (id),
            CONSTRAINT organizations_status_check CHECK (status IN
                ('pending', 'active', 'deleted')),
            CONSTRAINT organizations_clerk_id_key UNIQUE (clerk_id)
        )
    """)
    op.execute("""
        CREATE TABLE sessions (
            id uuid NOT NULL,
            clerk_id text NOT NULL,
            user_id uuid NOT NULL,
            status text NOT NULL,
            impersonated boolean NOT NULL DEFAULT false,
            device text,
            ip_address text,
            last_active_at timestamptz,
            expire_at timestamptz,
            abandon_at timestamptz,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT '',
            activity_version bigint,
            activity_event_id text,
            CONSTRAINT sessions_pkey PRIMARY KEY (id),
            CONSTRAINT sessions_status_check CHECK (status IN
                ('pending', 'active', 'ended', 'removed', 'revoked', 'expired', 'abandoned',
                'replaced')),
            CONSTRAINT sessions_clerk_id_key UNIQUE (clerk_id),
            CONSTRAINT sessions_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE INDEX sessions_abandon_at_idx
        ON sessions (abandon_at)
        WHERE status IN ('pending', 'active', 'expired')
    """)
    op.execute("""
        CREATE INDEX sessions_expire_at_idx
        ON sessions (expire_at)
        WHERE status IN ('pending', 'active')
    """)
    op.execute("CREATE INDEX sessions_status_idx ON sessions (status)")
    op.execute("""
        CREATE INDEX sessions_user_id_created_at_id_idx
        ON sessions (user_id, created_at DESC, id DESC)
    """)
    op.execute("""
        CREATE TABLE organization_memberships (
            id uuid NOT NULL,
            clerk_id text NOT NULL,
            organization_id uuid NOT NULL,
            user_id uuid NOT NULL,
            role text NOT NULL,
            permissions jsonb NOT NULL DEFAULT '[]',
            public_metadata jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            deleted_at timestamptz,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT '',
            CONSTRAINT organization_memberships_pkey PRIMARY KEY (id),
            CONSTRAINT organization_memberships_clerk_id_key UNIQUE (clerk_id),
            CONSTRAINT organization_memberships_organization_id_fkey
                FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
            CONSTRAINT organization_memberships_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE INDEX organization_memberships_organization_id_idx
        ON organization_memberships (organization_id)
    """)
    op.execute("""
        CREATE INDEX organization_memberships_user_id_idx
        ON organization_memberships (user_id)
    """)
    op.execute("""
        CREATE TABLE organization_invitations (
            id uuid NOT NULL,
            clerk_id text NOT NULL,
            organization_id uuid NOT NULL,
            user_id uuid NOT NULL,
            role text NOT NULL,
            created_at timestamptz NOT NULL,
            accepted_at timestamptz NOT NULL,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT '',
            CONSTRAINT organization_invitations_pkey PRIMARY KEY (id),
            CONSTRAINT organization_invitations_clerk_id_key UNIQUE (clerk_id),
            CONSTRAINT organization_invitations_organization_id_fkey
                FOREIGN KEY (organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
            CONSTRAINT organization_invitations_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE INDEX organization_invitations_organization_id_idx
        ON organization_invitations (organization_id)
    """)
    op.execute("""
        CREATE INDEX organization_invitations_user_id_idx
        ON organization_invitations (user_id)
    """)
    op.execute("""
        CREATE TABLE user_data (
            user_id uuid NOT NULL,
            key text NOT NULL,
            value jsonb NOT NULL,
            CONSTRAINT user_data_pkey PRIMARY KEY (user_id, key),
            CONSTRAINT user_data_key_check CHECK (key IN
                ('preferences', 'feature_flags', 'onboarding_status', 'session_count',
                'last_active', 'login_history', 'name_history', 'last_clerk_sync',
                'signup_date', 'signup_source')),
            CONSTRAINT user_data_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE TABLE user_names (
            user_id uuid NOT NULL,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT '',
            first_name text,
            last_name text,
            CONSTRAINT user_names_pkey PRIMARY KEY (user_id, version),
            CONSTRAINT user_names_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    comment_all(COMMENTS)


def comment_all(comments: list[tuple[str, str | None, str]]) -> None:
    """Put comments into the database."""
    for table, column, comment in comments:
        target = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        op.execute(f"COMMENT ON {target} IS $clerkwork${comment}$clerkwork$")


def downgrade() -> None:
    comment_all(COMMENTS_BEFORE)
    op.execute("DROP TABLE user_names")
    op.execute("DROP TABLE user_data")
    op.execute("DROP TABLE organization_invitations")
    op.execute("DROP TABLE organization_memberships")
    op.execute("DROP TABLE sessions")
    op.execute("DROP TABLE organizations")
    op.execute("""
        ALTER TABLE users
            DROP COLUMN signup_source,
            DROP COLUMN last_event_at,
            DROP COLUMN deletion_event_id,
            DROP COLUMN erase_at,
            DROP COLUMN held_status,
            DROP COLUMN restored_at
    """)


COMMENTS: list[tuple[str, str | None, str]] = [
    (
        "users",
        "status",
        "pending (referenced, not yet seen) | active | banned | locked | deprovisioned | deleted (a tombstone: nothing that Clerk sends brings it back)",
    ),
    (
        "users",
        "signup_source",
        "clerk | invite | admin: how the oldest addresses were verified; invite outweighs admin, admin outweighs clerk",
    ),
    ("users", "last_event_at", "the latest event about the user, by its own time"),
    ("users", "deletion_event_id", "the svix-id of the deletion"),
    (
        "users",
        "erase_at",
        "until when a deleted user's data is held back, hidden, for a restoration; null on tombstones: theirs is erased",
    ),
    ("users", "held_status", "the status that a restoration gives back, while erase_at is set"),
    ("users", "restored_at", "when an operator restored the user: earlier deletions are void"),
    (
        "events",
        "clerk_user_id",
        "whom the event is about, where it is a user; once they are erased, only their deletion says",
    ),
    ("organizations", None, "One row for each Clerk organization, living or deleted."),
    ("organizations", "id", "UUIDv5 of clerk_id"),
    ("organizations", "clerk_id", "Clerk's organization id"),
    ("organizations", "name", "its name; null on stubs and tombstones"),
    ("organizations", "slug", "its name in addresses"),
    ("organizations", "image_url", "logo"),
    ("organizations", "public_metadata", "public_metadata as Clerk has it"),
    (
        "organizations",
        "status",
        "pending (referenced, not yet seen) | active | deleted (a tombstone)",
    ),
    ("organizations", "created_at", "when it was created; null on stubs and tombstones"),
    (
        "organizations",
        "updated_at",
        "data.updated_at of the applied snapshot; null on stubs and tombstones",
    ),
    ("organizations", "deleted_at", "when it was deleted"),
    (
        "organizations",
        "version",
        "data.updated_at in ms (a tombstone: the deletion's time); the newest wins",
    ),
    (
        "organizations",
        "version_timestamp",
        "the event's own time in ms; decides between equal versions",
    ),
    ("organizations", "version_event_id", "the svix-id; decides between equal versions and times"),
    ("sessions", None, "One row for each session of a user who is not erased."),
    ("sessions", "id", "UUIDv5 of clerk_id"),
    ("sessions", "clerk_id", "Clerk's session id"),
    ("sessions", "user_id", "who signed in"),
    (
        "sessions",
        "status",
        "pending (signed in, tasks unfinished) | active | ended | removed | revoked (told by Clerk, and final) | expired | abandoned (past expire_at, abandon_at: set by clerkwork maintain, Clerk sends no event) | replaced",
    ),
    ("sessions", "impersonated", "whether somebody else acted as the user: no sign-in of theirs"),
    ("sessions", "device", "browser and device of the first activity known"),
    ("sessions", "ip_address", "address of the first activity known"),
    ("sessions", "last_active_at", "the latest activity seen, whatever order it came in"),
    ("sessions", "expire_at", "when it ends by itself"),
    ("sessions", "abandon_at", "when it is given up"),
    ("sessions", "created_at", "when the user signed in"),
    ("sessions", "updated_at", "data.updated_at of the applied snapshot"),
    ("sessions", "version", "data.updated_at in ms; the newest wins, but what is final stays"),
    ("sessions", "version_timestamp", "the event's own time in ms; decides between equal versions"),
    ("sessions", "version_event_id", "the svix-id; decides between equal versions and times"),
    (
        "sessions",
        "activity_version",
        "data.updated_at in ms of the snapshot that device and ip_address are from",
    ),
    ("sessions", "activity_event_id", "its svix-id; decides between equal versions"),
    (
        "organization_memberships",
        None,
        "One row for each membership, lasting or ended, of a living organization and a user who is not erased.",
    ),
    ("organization_memberships", "id", "UUIDv5 of clerk_id"),
    ("organization_memberships", "clerk_id", "Clerk's membership id"),
    ("organization_memberships", "organization_id", "the organization"),
    ("organization_memberships", "user_id", "the member"),
    ("organization_memberships", "role", "such as org:admin"),
    ("organization_memberships", "permissions", "names of what the role allows"),
    ("organization_memberships", "public_metadata", "public_metadata as Clerk has it"),
    ("organization_memberships", "created_at", "when the user became a member"),
    ("organization_memberships", "updated_at", "data.updated_at of the applied snapshot"),
    ("organization_memberships", "deleted_at", "when the membership ended; null while it lasts"),
    (
        "organization_memberships",
        "version",
        "data.updated_at in ms; the newest wins, but an end stays",
    ),
    (
        "organization_memberships",
        "version_timestamp",
        "the event's own time in ms; decides between equal versions",
    ),
    (
        "organization_memberships",
        "version_event_id",
        "the svix-id; decides between equal versions and times",
    ),
    (
        "organization_invitations",
        None,
        "One row for each accepted invitation of a user who is not erased.",
    ),
    ("organization_invitations", "id", "UUIDv5 of clerk_id"),
    ("organization_invitations", "clerk_id", "Clerk's invitation id"),
    ("organization_invitations", "organization_id", "the organization"),
    ("organization_invitations", "user_id", "who accepted it"),
    ("organization_invitations", "role", "the role it brought, such as org:member"),
    ("organization_invitations", "created_at", "when it was made"),
    ("organization_invitations", "accepted_at", "data.updated_at: when it was accepted"),
    ("organization_invitations", "version", "data.updated_at in ms; the newest wins"),
    (
        "organization_invitations",
        "version_timestamp",
        "the event's own time in ms; decides between equal versions",
    ),
    (
        "organization_invitations",
        "version_event_id",
        "the svix-id; decides between equal versions and times",
    ),
    (
        "user_data",
        None,
        "What the application and Clerk's events tell of a user, one row for each key.",
    ),
    ("user_data", "user_id", "whose it is"),
    (
        "user_data",
        "key",
        "preferences | feature_flags | onboarding_status (set by the application) | session_count | last_active | login_history | name_history | last_clerk_sync | signup_date | signup_source (derived from Clerk's events)",
    ),
    ("user_data", "value", "its shape is in schema/postgres/user_data.py"),
    (
        "user_names",
        None,
        "The name in every snapshot of a user, so that name_history loses no change.",
    ),
    ("user_names", "user_id", "whose name it is"),
    ("user_names", "version", "data.updated_at in ms of the snapshot that had the name"),
    (
        "user_names",
        "version_timestamp",
        "the event's own time in ms; decides between equal versions",
    ),
    ("user_names", "version_event_id", "the svix-id; decides between equal versions and times"),
    ("user_names", "first_name", "given name"),
    ("user_names", "last_name", "family name"),
]

COMMENTS_BEFORE: list[tuple[str, str | None, str]] = [
    (
        "users",
        "status",
        "pending (referenced, not yet seen) | active | banned | locked | deprovisioned | deleted (a tombstone: nothing brings it back)",
    ),
    ("events", "clerk_user_id", "whom the event is about, where it is a user"),
]
