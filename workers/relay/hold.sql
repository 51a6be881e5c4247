-- name: try_to_hold
-- Be the one relay that publishes, unless another one is; until the session ends.
SELECT pg_try_advisory_lock(6241359)
