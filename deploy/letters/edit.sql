-- name: take_letter
-- Take the letter at a place for the operation $4 of $5, described as $6; null where it does not
-- wait any more.
WITH taken AS (
    UPDATE dead_letters SET state = 'replaying', operation_id = $4
    WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND state IN ('open', 'parked')
    RETURNING 1
)
INSERT INTO operations (id, action, operator, selection, planned, started_at)
SELECT $4, 'edit', $5, $6::jsonb, 1, now() FROM taken
RETURNING planned
