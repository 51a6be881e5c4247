-- name: release_users
-- Let go of a batch of deleted users whose data was held back long enough, and lock them. Those
-- that somebody is writing to are left for another time, so that this waits for nobody; one who is
-- restored meanwhile is not among them, the condition being that of the locked row.
UPDATE users SET erase_at = NULL
WHERE id = ANY (ARRAY(
    SELECT id FROM users
    WHERE erase_at <= $1
    ORDER BY erase_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
RETURNING id

-- name: count_due
-- How many there are.
SELECT count(*) FROM users WHERE erase_at <= $1
