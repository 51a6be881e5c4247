-- name: read_changes
-- The caller's standing, how far the outbox reaches, and a page of the changes after $3 that the
-- caller may see, in their order; one row at least. Administrators see all, by outbox_pkey;
-- others their own, by outbox_owner_position_idx, and what is public, by
-- outbox_public_position_idx. The state of whom is deleted is not shown, whether it is held back
-- or erased.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    reach.forgotten,
    reach.head,
    reach.clock,
    page.position,
    page.type,
    page.key,
    page.state
FROM (VALUES ($1::uuid, $2::text, $3::bigint, $4::integer))
    AS asked (caller_id, clerk_id, since, rows)
LEFT JOIN users AS caller ON caller.id = asked.caller_id
CROSS JOIN (
    SELECT
        coalesce(max(forgotten), 0) AS forgotten,
        greatest(
            (SELECT max(position) FROM outbox), max(progress.position), max(forgotten), 0
        ) AS head,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock
    FROM relay_progress AS progress
    WHERE name = 'outbox'
) AS reach
LEFT JOIN LATERAL (
    SELECT DISTINCT ON (position) position, type, key, state
    FROM (
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role IS DISTINCT FROM 'admin'
                AND owner = asked.clerk_id
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
        UNION ALL
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role IS DISTINCT FROM 'admin'
                AND public
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
        UNION ALL
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role = 'admin'
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
    ) AS visible
    ORDER BY position
    LIMIT asked.rows
) AS page ON true
ORDER BY page.position;
