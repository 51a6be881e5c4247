-- name: list_letters
-- The newest letters, $11 of them.
SELECT * FROM (:matching) AS letter
ORDER BY dead_at DESC, topic, partition, "offset"
LIMIT $11::bigint
