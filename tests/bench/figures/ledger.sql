-- name: add_rows
-- Events of this month, so many of them. Half a second apart.
INSERT INTO events (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, topic, partition,
    "offset"
)
SELECT
    'msg_' || to_char(n, 'FM0000000000') || left(md5(n || 'r'), 17),
    greatest($2::timestamptz - n * interval '500 ms', date_trunc('month', $2, 'UTC')),
    'user.updated', 'user_' || to_char(hashint8(n) & 1048575, 'FM0000000000') || left(md5(n || 'u'), 17),
    now(), now(), 'applied', 'clerk.user-events', n % 12, n
FROM generate_series(1, $1::bigint) AS n
