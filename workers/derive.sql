-- name: derive_user_data
-- Write anew what follows from the rows of each user: counts and histories are read off sets of
-- rows, never incremented. Only what differs is written. $2 is for whom more than names and the
-- latest event says something new, $3 for whom names do; $4 is how long histories may be.
WITH differing AS MATERIALIZED (
    SELECT users.id AS user_id, derived.key, derived.value
    FROM unnest($1::uuid[], $2::boolean[], $3::boolean[]) AS due (id, rows, names)
    JOIN users ON users.id = due.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, max(last_active_at) AS last_active_at
        FROM sessions WHERE due.rows AND user_id = users.id AND NOT impersonated
    ) AS signed_in
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(entry ORDER BY created_at DESC, id DESC), '[]') AS history
        FROM (
            SELECT created_at, id, jsonb_strip_nulls(jsonb_build_object(
                'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'device', device,
                'ip', ip_address,
                'success', true
            )) AS entry
            FROM sessions
            WHERE due.rows AND user_id = users.id AND NOT impersonated
            ORDER BY created_at DESC, id DESC
            LIMIT $4
        ) AS newest
    ) AS logins
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(entry ORDER BY version DESC), '[]') AS history
        FROM (
            SELECT version, jsonb_build_object(
                'first_name', first_name,
                'last_name', last_name,
                'timestamp', to_char(
                    to_timestamp(version / 1000) AT TIME ZONE 'UTC'
                        + version % 1000 * interval '1 millisecond',
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )
            ) AS entry
            FROM (
                SELECT
                    *,
                    row(first_name, last_name) IS DISTINCT FROM row(
                        lag(first_name) OVER earlier, lag(last_name) OVER earlier
                    ) OR row_number() OVER earlier = 1 AS changed
                FROM user_names WHERE due.names AND user_id = users.id
                WINDOW earlier AS (ORDER BY version)
            ) AS compared
            WHERE changed
            ORDER BY version DESC
            LIMIT $4
        ) AS newest
    ) AS names
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM organization_invitations
            WHERE due.rows
                AND user_id = users.id
                AND organization_invitations.created_at <= users.created_at
        ) AS first
    ) AS invited
    -- A list of VALUES is compiled anew for each user: ExecInitExprList in nodeValuesscan.c.
    CROSS JOIN LATERAL (
        SELECT
            unnest(ARRAY[
                'session_count', 'login_history', 'name_history', 'last_active',
                'last_clerk_sync', 'signup_date', 'signup_source'
            ]) AS key,
            unnest(ARRAY[
                due.rows, due.rows, due.names, due.rows, true, due.rows, due.rows
            ]) AS is_due,
            unnest(ARRAY[
                to_jsonb(signed_in.number),
                logins.history,
                names.history,
                to_jsonb(to_char(
                    greatest(users.last_active_at, signed_in.last_active_at) AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(to_char(
                    users.last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(to_char(
                    users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(CASE WHEN invited.first THEN 'invite' ELSE users.signup_source END)
            ]) AS value
    ) AS derived
    LEFT JOIN user_data AS known ON known.user_id = users.id AND known.key = derived.key
    -- Who has no history of names yet has no name either: the first of them is news.
    WHERE (derived.is_due OR derived.key = 'name_history' AND known.key IS NULL)
        AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
        AND known.value IS DISTINCT FROM derived.value
),
gone AS (
    DELETE FROM user_data USING differing
    WHERE user_data.user_id = differing.user_id
        AND user_data.key = differing.key
        AND differing.value IS NULL
)
INSERT INTO user_data (user_id, key, value)
SELECT user_id, key, value FROM differing WHERE value IS NOT NULL ORDER BY user_id, key
ON CONFLICT (user_id, key) DO UPDATE SET value = excluded.value

-- name: begin_user_data
-- Write the same for users who are new in this transaction, of whom there is nothing else yet but
-- a name at most: no sessions, no invitations, and nothing to compare with.
INSERT INTO user_data (user_id, key, value)
SELECT users.id, derived.key, derived.value
FROM users
LEFT JOIN user_names ON user_names.user_id = users.id
CROSS JOIN LATERAL (
    SELECT
        unnest(ARRAY[
            'last_active', 'last_clerk_sync', 'login_history', 'name_history', 'session_count',
            'signup_date', 'signup_source'
        ]) AS key,
        unnest(ARRAY[
            to_jsonb(to_char(
                users.last_active_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            to_jsonb(to_char(
                users.last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            '[]',
            CASE
                WHEN user_names.user_id IS NULL THEN '[]'
                ELSE jsonb_build_array(jsonb_build_object(
                    'first_name', user_names.first_name,
                    'last_name', user_names.last_name,
                    'timestamp', to_char(
                        to_timestamp(user_names.version / 1000) AT TIME ZONE 'UTC'
                            + user_names.version % 1000 * interval '1 millisecond',
                        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                    )
                ))
            END,
            '0',
            to_jsonb(to_char(
                users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            to_jsonb(users.signup_source)
        ]) AS value
) AS derived
WHERE users.id = ANY($1::uuid[])
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
    AND derived.value IS NOT NULL
