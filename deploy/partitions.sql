-- name: wait_for_others
-- Let one migration or maintenance run at a time; the lock ends with the session. The number is
-- that of migrate.sql.
SELECT pg_advisory_lock(6241357)

-- name: keep_others_out
-- The same without waiting; false when another one is running.
SELECT pg_try_advisory_lock(6241357)

-- name: list_partitions
-- The ledger's partitions but the default one, and their bounds: null where there is none. The
-- name is quoted and qualified where it has to be.
SELECT
    relation.oid::regclass::text AS name,
    substring(bounds FROM $$FROM \('([^']+)'\)$$)::timestamptz AS begins,
    substring(bounds FROM $$TO \('([^']+)'\)$$)::timestamptz AS ends
FROM pg_inherits
JOIN pg_class AS relation ON relation.oid = inhrelid
CROSS JOIN LATERAL pg_get_expr(relation.relpartbound, relation.oid) AS bounds
WHERE inhparent = 'events'::regclass AND bounds <> 'DEFAULT'
ORDER BY begins NULLS FIRST

-- name: count_by_month
-- The months of a span whose events lie in the default partition, and how many.
SELECT date_trunc('month', occurred_at, 'UTC') AS begins, count(*) AS events
FROM events_default
WHERE occurred_at >= $1 AND occurred_at < $2
GROUP BY 1
ORDER BY 1

-- name: find_taken
-- Which of these names other tables have, such as partitions that somebody detached to keep them.
SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NOT NULL

-- name: count_expired
-- How many events of the default partition are past keeping. One whose own time is absurd or was
-- never given is as old as its arrival.
SELECT count(*) FROM events_default WHERE occurred_at < $1 AND received_at < $1

-- name: delete_expired
-- Delete a batch of them, found by index.
DELETE FROM events_default WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM events_default
    WHERE occurred_at < $1 AND received_at < $1
    ORDER BY occurred_at
    LIMIT $2
))

-- name: describe_rest
-- What stays in the default partition once the months that begin at $1 are moved and what was
-- before $2 is deleted.
SELECT
    count(*) AS events,
    min(occurred_at)::date::text AS earliest,
    max(occurred_at)::date::text AS latest
FROM events_default
WHERE date_trunc('month', occurred_at, 'UTC') <> ALL ($1::timestamptz[])
    AND (occurred_at < $2 AND received_at < $2) IS NOT TRUE

-- name: default_has_index
-- Whether it was made: asking needs no lock that writers would wait for, CREATE INDEX does.
SELECT to_regclass('events_default_occurred_at_received_at_idx') IS NOT NULL

-- name: index_default
-- The other partitions need no index on time: bounds say which of them to read.
CREATE INDEX IF NOT EXISTS events_default_occurred_at_received_at_idx
ON events_default (occurred_at, received_at)

-- name: spell
-- Put a name and bounds into one of the statements below, which take no parameters.
SELECT format($1, VARIADIC $2::text[])

-- name: create_month
-- A table like the others, still on its own. The constraint is the partition's bound, so that
-- attaching need not read the rows again.
CREATE TABLE %1$I (
    LIKE events INCLUDING ALL,
    CONSTRAINT within_month CHECK (occurred_at >= %2$L AND occurred_at < %3$L)
)

-- name: oldest_running
-- The transaction from which on all may still change what the next statement does not see.
SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text

-- name: copy_month
-- Copy the month's events from the default partition.
INSERT INTO %1$I
SELECT * FROM events_default WHERE occurred_at >= %2$L AND occurred_at < %3$L

-- name: forget_changed
-- Remove the copies of events that were written since that transaction. age() counts right over
-- the end of the transaction numbers; a number from the last round only makes a needless copy.
DELETE FROM %1$I AS copied
USING events_default AS known
WHERE known.event_id = copied.event_id AND known.occurred_at = copied.occurred_at
    AND known.occurred_at >= %2$L AND known.occurred_at < %3$L
    AND age(known.xmin) <= age(%4$L::xid)

-- name: copy_changed
-- Copy those, as they are by now.
INSERT INTO %1$I
SELECT * FROM events_default
WHERE occurred_at >= %2$L AND occurred_at < %3$L AND age(xmin) <= age(%4$L::xid)

-- name: hold_writers
-- Keep writers out at the door, readers not. A writer that were further in, waiting for the default
-- partition itself, would find its bounds changed under it: a check violation (23514), which to a
-- worker is a bad event. Without ONLY every partition would be locked.
LOCK TABLE ONLY events, ONLY events_default IN SHARE ROW EXCLUSIVE MODE

-- name: hold_everybody
-- Keep readers out too: to drop a partition is to change the table it belongs to.
LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE

-- name: hurry
-- Writers wait for 10 s at most, then for their next attempt: do not keep them for ever.
SET LOCAL statement_timeout = '30s'

-- name: clear_month
-- Take the month's events, which are copied, out of the default partition.
DELETE FROM events_default WHERE occurred_at >= %2$L AND occurred_at < %3$L

-- name: attach_month
-- Make it a partition; PostgreSQL reads what is left in the default one to see that nothing is
-- misplaced there.
ALTER TABLE events ATTACH PARTITION %1$I FOR VALUES FROM (%2$L) TO (%3$L)

-- name: loosen_month
-- The bound says the same.
ALTER TABLE %1$I DROP CONSTRAINT within_month

-- name: drop_partition
-- The name is as list_partitions gives it. DETACH … CONCURRENTLY, which would wait more politely,
-- is refused where there is a default partition.
DROP TABLE %1$s
