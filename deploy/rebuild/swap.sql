-- name: find_changed
-- Users of whom others see another state or version, or who are tombstones only in the rebuilt
-- table, or whose posts are hidden or shown by what the rebuilt table says of them. Both tables are read from end to end.
SELECT *
FROM (
    SELECT
        id,
        coalesce(rebuilt.clerk_id, live.clerk_id) AS clerk_id,
        seen.after AND NOT seen.before AS created,
        seen.before AND coalesce(rebuilt.status, 'pending') = 'pending' AS gone,
        seen.before <> seen.after OR seen.before AND row(
            live.email, live.email_verified, live.first_name, live.last_name, live.username,
            live.image_url, live.external_id, live.role, live.status, live.public_metadata,
            live.created_at, live.version
        ) IS DISTINCT FROM row(
            rebuilt.email, rebuilt.email_verified, rebuilt.first_name, rebuilt.last_name,
            rebuilt.username, rebuilt.image_url, rebuilt.external_id, rebuilt.role, rebuilt.status,
            rebuilt.public_metadata, rebuilt.created_at, rebuilt.version
        ) AS told,
        rebuilt.deleted_at IS NOT NULL AND rebuilt.erase_at IS NULL
            AND (live.deleted_at IS NULL OR live.erase_at IS NOT NULL) AS erased,
        live.deleted_at IS NULL AND rebuilt.deleted_at IS NOT NULL AS hidden,
        live.deleted_at IS NOT NULL AND rebuilt.deleted_at IS NULL AS shown
    FROM users AS live
    FULL JOIN rebuild.users AS rebuilt USING (id)
    CROSS JOIN LATERAL (
        SELECT
            coalesce(live.status, 'pending') NOT IN ('pending', 'deleted') AS before,
            coalesce(rebuilt.status, 'pending') NOT IN ('pending', 'deleted') AS after
    ) AS seen
) AS compared
WHERE told OR erased OR hidden OR shown

-- name: list_references
-- Foreign keys of other tables to these: what drops each, and what sets it anew by the same names,
-- which mean the rebuilt tables then.
SELECT
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
    format(
        'ALTER TABLE %s ADD CONSTRAINT %I %s',
        conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid)
    ) AS restore
FROM pg_constraint
JOIN pg_class AS target ON target.oid = confrelid
JOIN pg_class AS source ON source.oid = conrelid
WHERE contype = 'f'
    AND conparentid = 0
    AND target.relnamespace = current_schema()::regnamespace
    AND target.relname = ANY($1::text[])
    AND NOT (source.relnamespace = target.relnamespace AND source.relname = ANY($1::text[]))
ORDER BY conrelid, conname

-- name: list_rights
-- What gives the rebuilt tables the rights and the owners of the live ones: others have none at
-- first, whatever the defaults for new tables are.
WITH tables AS (
    SELECT live.oid, live.relname, live.relowner, live.relacl,
        rebuilt.relowner AS maker, rebuilt.relacl AS made
    FROM pg_class AS live
    JOIN pg_class AS rebuilt ON rebuilt.relname = live.relname
        AND rebuilt.relnamespace = 'rebuild'::regnamespace
    WHERE live.relnamespace = current_schema()::regnamespace AND live.relname = ANY($1::text[])
),
rights AS (
    SELECT 1 AS step, relname, NULL AS attname, grantee, privilege_type, is_grantable
    FROM tables CROSS JOIN LATERAL aclexplode(made)
    WHERE grantee <> maker
    UNION ALL
    SELECT 2, relname, NULL, grantee, privilege_type, is_grantable
    FROM tables CROSS JOIN LATERAL aclexplode(relacl)
    WHERE grantee <> relowner
    UNION ALL
    SELECT 2, relname, attname, grantee, privilege_type, is_grantable
    FROM tables
    JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0
    CROSS JOIN LATERAL aclexplode(attacl)
)
SELECT statement
FROM (
    SELECT
        step,
        concat_ws(' ',
            CASE step WHEN 1 THEN 'REVOKE' ELSE 'GRANT' END,
            privilege_type,
            '(' || quote_ident(attname) || ')',
            format('ON rebuild.%I', relname),
            CASE step WHEN 1 THEN 'FROM' ELSE 'TO' END,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
            CASE WHEN step = 2 AND is_grantable THEN 'WITH GRANT OPTION' END
        ) AS statement
    FROM rights
    UNION ALL
    SELECT 3, format('ALTER TABLE rebuild.%I OWNER TO %I', relname, pg_get_userbyid(relowner))
    FROM tables
    WHERE relowner <> maker
) AS spelled
ORDER BY step, statement

-- name: make_room
-- For the tables that are replaced, in place of those of the last time.
DO $$ BEGIN
    DROP SCHEMA IF EXISTS before_rebuild CASCADE;
    CREATE SCHEMA before_rebuild;
END $$

-- name: hold_shadow
-- Autovacuum makes room within two seconds where it is at one of these: before anybody is kept
-- from reading, not meanwhile.
LOCK TABLE rebuild.users, rebuild.user_data, rebuild.user_names, rebuild.sessions,
    rebuild.organizations, rebuild.organization_memberships, rebuild.organization_invitations
    IN ACCESS EXCLUSIVE MODE

-- name: wait_briefly
-- For the next lock; much less than deadlock_timeout in all.
SET LOCAL lock_timeout = '100ms'

-- name: keep_readers_out
-- Writers are out already. Posts stay, but their reference to users is set anew.
LOCK TABLE users, user_data, user_names, sessions, organizations, organization_memberships,
    organization_invitations, posts IN ACCESS EXCLUSIVE MODE

-- name: wait_as_before
-- As deploy/database.py has it.
SET LOCAL lock_timeout = '2s'

-- name: spell_swap
-- What takes the live tables away, or where $2 puts them aside, and puts the rebuilt ones there.
SELECT statement
FROM (
    SELECT 1 AS step, format('ALTER TABLE %I SET SCHEMA before_rebuild', name) AS statement
    FROM unnest($1::text[]) AS name
    WHERE $2
    UNION ALL
    SELECT 1, format('DROP TABLE %s', string_agg(quote_ident(name), ', '))
    FROM unnest($1::text[]) AS name
    WHERE NOT $2
    HAVING count(*) > 0
    UNION ALL
    SELECT 2, format('ALTER TABLE rebuild.%I SET SCHEMA %I', name, current_schema())
    FROM unnest($1::text[]) AS name
) AS spelled
ORDER BY step
