-- name: find_applied
-- How far the partitions are applied.
SELECT partition, next_offset FROM applied_offsets WHERE topic = 'clerk.user-events'

-- name: meet_users
-- Lock a row of each page: that changes the page, and nothing that anybody reads.
SELECT FROM users
WHERE ctid IN (
    SELECT format('(%s,1)', page)::tid
    FROM generate_series(
        0, pg_relation_size('users') / current_setting('block_size')::integer - 1
    ) AS page
)
FOR NO KEY UPDATE OF users

-- name: meet_user_data
-- Lock a row of each page: that changes the page, and nothing that anybody reads.
SELECT FROM user_data
WHERE ctid IN (
    SELECT format('(%s,1)', page)::tid
    FROM generate_series(
        0, pg_relation_size('user_data') / current_setting('block_size')::integer - 1
    ) AS page
)
FOR NO KEY UPDATE OF user_data

-- name: meet_user_names
-- Lock a row of each page: that changes the page, and nothing that anybody reads.
SELECT FROM user_names
WHERE ctid IN (
    SELECT format('(%s,1)', page)::tid
    FROM generate_series(
        0, pg_relation_size('user_names') / current_setting('block_size')::integer - 1
    ) AS page
)
FOR NO KEY UPDATE OF user_names
