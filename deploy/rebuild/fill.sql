-- name: spell_release
-- Put the live schema's name into the statement below.
SELECT format($1, current_schema())

-- name: release_erased
-- Let go of those among these deleted users who are erased in the live tables; by primary keys.
UPDATE users SET erase_at = NULL
FROM %1$I.users AS live
WHERE users.id = ANY($1::uuid[])
    AND users.erase_at IS NOT NULL
    AND live.id = users.id
    AND live.deleted_at IS NOT NULL
    AND live.erase_at IS NULL
RETURNING users.id

-- name: read_schema
-- Where names lead to.
SELECT current_schema()

-- name: forget_ledger
-- What was applied is counted elsewhere, and the live ledger stays.
TRUNCATE events
