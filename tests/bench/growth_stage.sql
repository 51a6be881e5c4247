-- name: count_applied
-- How far the partitions are applied, all together.
SELECT coalesce(sum(next_offset), 0) FROM applied_offsets WHERE topic = 'clerk.user-events'
