-- name: abandon_sessions
-- Mark a batch of sessions that are past being given up. Rows that somebody holds are left for
-- another time, so that this waits for nobody in whatever order others lock.
UPDATE sessions SET status = 'abandoned'
WHERE id = ANY (ARRAY(
    SELECT id FROM sessions
    WHERE status IN ('pending', 'active', 'expired') AND abandon_at <= $1
    ORDER BY abandon_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))

-- name: expire_sessions
-- The same for those that have ended by themselves and are not yet past being given up.
UPDATE sessions SET status = 'expired'
WHERE id = ANY (ARRAY(
    SELECT id FROM sessions
    WHERE status IN ('pending', 'active')
        AND expire_at <= $1
        AND (abandon_at <= $1) IS NOT TRUE
    ORDER BY expire_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))

-- name: count_abandoned
-- How many the first would mark.
SELECT count(*) FROM sessions
WHERE status IN ('pending', 'active', 'expired') AND abandon_at <= $1

-- name: count_expired
-- How many the second would mark.
SELECT count(*) FROM sessions
WHERE status IN ('pending', 'active')
    AND expire_at <= $1
    AND (abandon_at <= $1) IS NOT TRUE
