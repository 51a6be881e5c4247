-- name: find_erased
-- Who of these is a tombstone: nothing of theirs may be written. By the index on clerk_id.
SELECT id, clerk_id FROM users
WHERE clerk_id = ANY($1::text[]) AND deleted_at IS NOT NULL AND erase_at IS NULL

-- name: wait_for_erasures
-- Keep whoever erases waiting until this transaction ends. A statement of its own, because the
-- next ones must see what was erased until then; after the rows of users are locked.
SELECT pg_advisory_xact_lock_shared(6241360)

-- name: wait_for_names
-- Wait until those have committed who name users that have no row. A statement of its own, because
-- the next one must see what they have written.
SELECT pg_advisory_xact_lock(6241360)

-- name: erase_users
-- Leave nothing personal of the deleted users whose data is not held back: a tombstone, and in
-- the ledger and the outbox only that they were deleted. Their rows are locked already, in key
-- order; whoever writes what belongs to a user locks the user first, so that nothing is written
-- beside this.
WITH erased AS (
    UPDATE users SET
        email = NULL,
        email_verified = false,
        first_name = NULL,
        last_name = NULL,
        username = NULL,
        image_url = NULL,
        external_id = NULL,
        role = 'user',
        status = 'deleted',
        public_metadata = '{}',
        last_sign_in_at = NULL,
        last_active_at = NULL,
        created_at = NULL,
        updated_at = NULL,
        version = (extract(epoch FROM deleted_at) * 1000)::bigint,
        version_timestamp = (extract(epoch FROM deleted_at) * 1000)::bigint,
        version_event_id = deletion_event_id,
        signup_source = NULL,
        last_event_at = NULL,
        held_status = NULL
    WHERE id = ANY($1::uuid[]) AND deleted_at IS NOT NULL AND erase_at IS NULL
    RETURNING id, clerk_id
),
their_posts AS (DELETE FROM posts USING erased WHERE user_id = erased.id),
data AS (DELETE FROM user_data USING erased WHERE user_id = erased.id),
names AS (DELETE FROM user_names USING erased WHERE user_id = erased.id),
their_sessions AS (DELETE FROM sessions USING erased WHERE user_id = erased.id),
memberships AS (DELETE FROM organization_memberships USING erased WHERE user_id = erased.id),
invitations AS (DELETE FROM organization_invitations USING erased WHERE user_id = erased.id),
told AS (DELETE FROM outbox USING erased WHERE owner = erased.clerk_id AND state IS NOT NULL),
letters AS (
    UPDATE dead_letters SET clerk_user_id = NULL
    FROM erased
    WHERE dead_letters.clerk_user_id = erased.clerk_id
)
UPDATE events SET clerk_user_id = NULL
FROM erased
WHERE events.clerk_user_id = erased.clerk_id
    AND events.type NOT IN ('user.deleted', 'clerkwork.absence.user')

-- name: empty_organizations
-- A deleted organization has no members; that somebody was invited stays true. Its row is locked
-- already.
DELETE FROM organization_memberships
USING organizations
WHERE organization_id = organizations.id
    AND organizations.id = ANY($1::uuid[])
    AND organizations.status = 'deleted'
