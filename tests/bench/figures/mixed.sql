-- name: fill_posts
-- Three published posts of each of the users.
INSERT INTO posts (id, user_id, title, body, status, created_at, updated_at, version)
SELECT
    md5(n || ' ' || p)::uuid, id, 'Notes on the engine', repeat('It weaves algebra. ', 20),
    'published', at, at, 1
FROM (
    SELECT people.*, p, now() - (n * 3 + p) * interval '1 second' AS at
    FROM people, generate_series(1, 3) AS p
) AS known;
