-- name: read_caller
-- What the database says of a caller and of the session they come with, both by primary key;
-- always one row.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    session.status AS session_status
FROM (VALUES ($1::uuid, $2::uuid)) AS asked (user_id, session_id)
LEFT JOIN users AS caller ON caller.id = asked.user_id
LEFT JOIN sessions AS session ON session.id = asked.session_id;
