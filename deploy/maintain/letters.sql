-- name: forget_old_letters
-- Delete a batch of index rows whose letters are gone from Kafka, by the index on state and time.
DELETE FROM dead_letters
WHERE (topic, partition, "offset") IN (
    SELECT topic, partition, "offset" FROM dead_letters
    WHERE state IN ('open', 'replaying', 'replayed', 'parked', 'purged') AND dead_at < $1
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)

-- name: count_old_letters
-- How many there are.
SELECT count(*) FROM dead_letters
WHERE state IN ('open', 'replaying', 'replayed', 'parked', 'purged') AND dead_at < $1
