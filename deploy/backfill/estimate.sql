-- name: count_rows
-- How many living ones the tables have: those of users from a partial index, the others by a scan
-- that nobody repeats.
SELECT
    (SELECT count(*) FROM users WHERE status NOT IN ('pending', 'deleted')) AS users,
    (SELECT count(*) FROM organizations WHERE status = 'active') AS organizations,
    (SELECT count(*) FROM organization_memberships WHERE deleted_at IS NULL) AS memberships
