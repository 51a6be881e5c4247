-- name: next_posts
-- The next posts by id, after $1, of whom others can know, and their authors; by the primary key.
SELECT posts.id, posts.user_id
FROM posts
JOIN users ON users.id = posts.user_id AND users.status <> 'deleted'
WHERE posts.id > $1 AND posts.created_at IS NOT NULL AND posts.deleted_at IS NULL
ORDER BY posts.id
LIMIT $2

-- name: lock_users
-- Keep these users as they are: whoever writes of them, or forgets what was told of them, comes
-- before or after. In key order, as workers lock them.
SELECT FROM users WHERE id = ANY($1::uuid[]) ORDER BY id FOR SHARE

-- name: find_posts
-- These posts, where there still are any for others.
SELECT posts.id, users.clerk_id AS owner, true AS visible, posts.status = 'published' AS public
FROM posts
JOIN users ON users.id = posts.user_id AND users.status <> 'deleted'
WHERE posts.id = ANY($1::uuid[]) AND posts.created_at IS NOT NULL AND posts.deleted_at IS NULL

-- name: next_users
-- The next users by id, after $1, of whom others can know; by the primary key.
SELECT id FROM users WHERE id > $1 AND status <> 'pending' ORDER BY id LIMIT $2
