-- name: next_users
-- The next users by id, after $1, of whom others can know; by the primary key.
SELECT id FROM users WHERE id > $1 AND status <> 'pending' ORDER BY id LIMIT $2
