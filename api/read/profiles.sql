-- name: read_profiles
-- Of users, by primary key, what every signed-in user sees of them, and whether they are there.
SELECT
    id,
    clerk_id,
    first_name,
    last_name,
    username,
    image_url,
    created_at,
    status
FROM users
WHERE id = ANY($1::uuid[]);
