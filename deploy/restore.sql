-- name: restore_user
-- Give back a deleted user whose data is held back, and tell what was found and whether it was
-- done. The row is locked before it is judged, so that a deletion or an erasure comes wholly before
-- or wholly after. Deletions up to restored_at are void: where Clerk's clock is ahead, this one too.
WITH found AS MATERIALIZED (
    SELECT id, clerk_id, held_status, deleted_at, erase_at FROM users WHERE id = $1 FOR UPDATE
),
restored AS (
    UPDATE users SET
        status = found.held_status,
        deleted_at = NULL,
        deletion_event_id = NULL,
        held_status = NULL,
        erase_at = NULL,
        restored_at = greatest(now(), found.deleted_at)
    FROM found
    WHERE users.id = found.id AND found.erase_at IS NOT NULL
    RETURNING users.id, users.status
)
SELECT found.clerk_id, restored.status, found.deleted_at, found.erase_at
FROM found
LEFT JOIN restored ON restored.id = found.id
