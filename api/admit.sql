-- name: read_callers
-- What the database says of callers and of the sessions they come with, both by primary key; one
-- row for each that is asked for.
SELECT
    asked.user_id,
    asked.session_id,
    caller.role AS caller_role,
    caller.status AS caller_status,
    session.status AS session_status
FROM unnest($1::uuid[], $2::uuid[]) AS asked (user_id, session_id)
LEFT JOIN users AS caller ON caller.id = asked.user_id
LEFT JOIN sessions AS session ON session.id = asked.session_id;
