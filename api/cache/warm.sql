-- name: warm_users
-- Living users whom callers may ask for first: the authors of the newest published posts, by
-- posts_published_created_at_id_idx, and the newest users, by users_created_at_id_idx; $1 of each
-- at most, and $1 together.
SELECT
    users.id,
    users.clerk_id,
    users.first_name,
    users.last_name,
    users.username,
    users.image_url,
    users.created_at,
    users.status
FROM (
    (
        SELECT posts.user_id AS id
        FROM posts
        WHERE posts.deleted_at IS NULL
            AND posts.created_at IS NOT NULL
            AND posts.status = 'published'
        ORDER BY posts.created_at DESC, posts.id DESC
        LIMIT $1::integer
    )
    UNION
    (
        SELECT newest.id
        FROM users AS newest
        WHERE newest.status NOT IN ('pending', 'deleted')
        ORDER BY newest.created_at DESC, newest.id DESC
        LIMIT $1::integer
    )
) AS wanted
INNER JOIN users ON users.id = wanted.id
WHERE users.status NOT IN ('pending', 'deleted')
LIMIT $1::integer;
