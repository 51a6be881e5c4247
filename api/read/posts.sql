-- name: read_post
-- A living post and its author, each by primary key.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
JOIN users AS author ON author.id = posts.user_id
WHERE posts.id = $1
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND author.status <> 'deleted';

-- name: list_posts
-- A page of all living posts with their authors, newest first, by posts_created_at_id_idx.
-- OFFSET 0 keeps the authors a lookup for each post of the page, whatever the planner guesses of
-- a limit that it does not know yet.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
CROSS JOIN LATERAL (
    SELECT clerk_id, first_name, last_name, username, image_url
    FROM users
    WHERE id = posts.user_id AND status <> 'deleted'
    OFFSET 0
) AS author
WHERE posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND (posts.created_at, posts.id) < (
        COALESCE($1::timestamptz, 'infinity'),
        COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
ORDER BY posts.created_at DESC, posts.id DESC
LIMIT $3;

-- name: list_published_posts
-- The same of what is published, by posts_published_created_at_id_idx.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
CROSS JOIN LATERAL (
    SELECT clerk_id, first_name, last_name, username, image_url
    FROM users
    WHERE id = posts.user_id AND status <> 'deleted'
    OFFSET 0
) AS author
WHERE posts.status = 'published'
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND (posts.created_at, posts.id) < (
        COALESCE($1::timestamptz, 'infinity'),
        COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
ORDER BY posts.created_at DESC, posts.id DESC
LIMIT $3;

-- name: list_posts_of
-- A user, by primary key, and a page of their living posts, newest first, by
-- posts_user_id_created_at_id_idx. No row where there is no user, one at least where there is.
SELECT
    author.status AS author_status,
    page.id,
    author.id AS user_id,
    page.title,
    page.body,
    page.status,
    page.created_at,
    page.updated_at,
    page.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM users AS author
LEFT JOIN LATERAL (
    SELECT id, title, body, status, created_at, updated_at, version
    FROM posts
    WHERE user_id = author.id
        AND author.status <> 'deleted'
        AND created_at IS NOT NULL
        AND deleted_at IS NULL
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
WHERE author.id = $1
ORDER BY page.created_at DESC, page.id DESC;

-- name: list_published_posts_of
-- The same of what is published, by posts_published_user_id_created_at_id_idx.
SELECT
    author.status AS author_status,
    page.id,
    author.id AS user_id,
    page.title,
    page.body,
    page.status,
    page.created_at,
    page.updated_at,
    page.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM users AS author
LEFT JOIN LATERAL (
    SELECT id, title, body, status, created_at, updated_at, version
    FROM posts
    WHERE user_id = author.id
        AND author.status <> 'deleted'
        AND status = 'published'
        AND created_at IS NOT NULL
        AND deleted_at IS NULL
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
WHERE author.id = $1
ORDER BY page.created_at DESC, page.id DESC;
