-- name: count_sessions
-- How many sessions there are of each status that occurs; from the index on status alone.
SELECT status, count(*) AS sessions FROM sessions GROUP BY status ORDER BY status

-- name: count_held_back
-- How many deleted users can still be restored; from the index of those.
SELECT count(*) FROM users WHERE erase_at IS NOT NULL
