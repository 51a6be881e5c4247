-- name: count_drift
-- What was found of each kind, and what of it is mended.
SELECT
    resource, kind, count(*) AS found, count(*) FILTER (WHERE mended) AS mended,
    count(*) FILTER (WHERE held) AS held
FROM suspects
GROUP BY resource, kind
ORDER BY resource, kind

-- name: list_ids
-- Clerk's ids of those that are left, or of all where none is; the first $4.
SELECT clerk_id FROM suspects
WHERE resource = $1 AND kind = $2 AND mended = $3
ORDER BY clerk_id
LIMIT $4
