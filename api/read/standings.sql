-- name: read_standing
-- What the database says of a caller, by primary key.
SELECT role, status FROM users WHERE id = $1;
