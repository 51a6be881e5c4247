-- name: find_applied
-- How far the partitions are applied.
SELECT partition, next_offset FROM applied_offsets WHERE topic = 'clerk.user-events'
