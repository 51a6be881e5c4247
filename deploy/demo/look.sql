-- name: count_backfilled
-- How many users the backfill has published.
SELECT published FROM sweeps WHERE kind = 'backfill' AND resource = 'users'
