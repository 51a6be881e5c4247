-- name: drop_shadow
-- Nobody but a rebuild has anything there.
DROP SCHEMA IF EXISTS rebuild CASCADE

-- name: create_shadow
-- Its tables are made by the migrations.
CREATE SCHEMA rebuild

-- name: list_revisions
-- The revision of the live tables, and that of the shadow.
SELECT version_num FROM alembic_version UNION ALL SELECT version_num FROM rebuild.alembic_version

-- name: look_at_shadow
-- Until the end of the transaction, names mean what is in the shadow.
SET LOCAL search_path TO rebuild

-- name: seed_restorations
-- Whom an operator has restored: Kafka does not know, and deletions before it are void. The whole
-- table is read.
INSERT INTO rebuild.users (id, clerk_id, restored_at)
SELECT id, clerk_id, restored_at FROM users WHERE restored_at IS NOT NULL

-- name: find_obstacles
-- What belongs to the live tables and not to their definition: views on them, triggers, policies,
-- publications, storage parameters that the migrations do not set. References from other tables are
-- no obstacle: they are set anew.
WITH tables AS (
    SELECT pg_class.* FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY($1::text[])
)
SELECT DISTINCT tables.relname AS table, 'the view ' || viewer.oid::regclass AS what
FROM tables
JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = tables.oid
    AND classid = 'pg_rewrite'::regclass
JOIN pg_rewrite ON pg_rewrite.oid = objid
JOIN pg_class AS viewer ON viewer.oid = ev_class
UNION ALL
SELECT relname, 'the trigger ' || tgname
FROM tables JOIN pg_trigger ON tgrelid = tables.oid WHERE NOT tgisinternal
UNION ALL
SELECT relname, 'the policy ' || polname
FROM tables JOIN pg_policy ON polrelid = tables.oid
UNION ALL
SELECT relname, 'row level security' FROM tables WHERE relrowsecurity
UNION ALL
SELECT relname, 'the publication ' || pubname
FROM tables
JOIN pg_publication_rel ON prrelid = tables.oid
JOIN pg_publication ON pg_publication.oid = prpubid
UNION ALL
SELECT relname, 'the storage parameter ' || option
FROM tables CROSS JOIN unnest(reloptions) AS option
WHERE option NOT IN (
    SELECT unnest(made.reloptions) FROM pg_class AS made
    WHERE made.relname = tables.relname AND made.relnamespace = to_regnamespace('rebuild')
)
ORDER BY 1, 2
