-- name: read_data
-- A user, by primary key, and what is known of a living one, by user_data_pkey. No row where there
-- is no user, one at least where there is.
SELECT users.status, data.key, data.value
FROM users
LEFT JOIN user_data AS data
    ON data.user_id = users.id AND data.value IS NOT NULL AND users.status <> 'deleted'
WHERE users.id = $1
ORDER BY data.key;
