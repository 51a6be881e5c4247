-- name: list_missing_roles
-- Which of these roles the server does not have.
SELECT name FROM unnest($1::text[]) AS name WHERE to_regrole(quote_ident(name)) IS NULL ORDER BY 1

-- name: spell_role
-- A role that nobody can log in with: users are put in it.
SELECT format('CREATE ROLE %I NOLOGIN', $1::text)

-- name: list_changes
-- What makes the rights of the roles $1 on the tables $2 those of $3, $4, $5 and $6, and leaves the
-- public none; with what they need of the database and its schema, and $7, who make temporary
-- tables. Tables, columns and roles that are not there yet are left out, and who has more from
-- somebody else keeps it. Of the database and the schema only that is asked for which this role
-- can give or somebody lacks: at first everybody has it.
WITH tables AS (
    SELECT pg_class.oid, pg_class.relname, pg_class.relacl, pg_class.relowner
    FROM pg_class
    LEFT JOIN pg_class AS root ON root.oid = pg_partition_root(pg_class.oid)
    WHERE pg_class.relnamespace = current_schema()::regnamespace
        AND pg_class.relkind IN ('r', 'p')
        AND coalesce(root.relname, pg_class.relname) = ANY($2::text[])
),
roles AS (
    SELECT oid, rolname AS name, quote_ident(rolname) AS spelled
    FROM pg_roles
    WHERE rolname = ANY($1::text[])
    UNION ALL
    SELECT 0, NULL, 'PUBLIC'
),
declared AS (
    SELECT tables.oid, roles.oid AS role, privilege, attname
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
        AS asked (role, relname, privilege, attname)
    JOIN tables USING (relname)
    JOIN roles ON roles.name = asked.role
    WHERE asked.attname IS NULL OR EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = tables.oid AND pg_attribute.attname = asked.attname AND NOT attisdropped
    )
),
held AS (
    SELECT tables.oid, grantee AS role, privilege_type AS privilege, NULL AS attname
    FROM tables
    CROSS JOIN LATERAL aclexplode(relacl)
    WHERE grantee <> relowner
    UNION ALL
    SELECT tables.oid, grantee, privilege_type, attname::text
    FROM tables
    JOIN pg_attribute ON attrelid = tables.oid AND NOT attisdropped
    CROSS JOIN LATERAL aclexplode(attacl)
    WHERE grantee <> relowner
),
changes AS (
    SELECT 'REVOKE' AS action, * FROM (SELECT * FROM held EXCEPT SELECT * FROM declared) AS surplus
    UNION ALL
    SELECT 'GRANT', * FROM (SELECT * FROM declared EXCEPT SELECT * FROM held) AS missing
),
by_privilege AS (
    SELECT
        action, oid, role,
        concat(
            privilege,
            ' (' || string_agg(quote_ident(attname), ', ' ORDER BY attname) || ')'
        ) AS privilege
    FROM changes
    GROUP BY action, oid, role, privilege, attname IS NULL
),
places AS (
    SELECT
        'DATABASE ' || quote_ident(datname) AS place, datacl AS acl, datdba AS owner, privilege,
        roles.*, has_database_privilege(roles.oid, pg_database.oid, privilege) AS may
    FROM pg_database
    CROSS JOIN (VALUES ('CONNECT'), ('TEMPORARY')) AS needed (privilege)
    JOIN roles ON roles.name = ANY($7::text[]) OR roles.oid <> 0 AND privilege = 'CONNECT'
    WHERE datname = current_database()
    UNION ALL
    SELECT
        'SCHEMA ' || quote_ident(nspname), nspacl, nspowner, 'USAGE', roles.*,
        has_schema_privilege(roles.oid, pg_namespace.oid, 'USAGE')
    FROM pg_namespace
    JOIN roles ON roles.oid <> 0
    WHERE nspname = current_schema()
)
SELECT
    concat_ws(
        ' ', action, string_agg(privilege, ', ' ORDER BY privilege), 'ON', relname_of.spelled,
        CASE action WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, roles.spelled
    ) AS statement
FROM by_privilege
JOIN roles ON roles.oid = by_privilege.role
CROSS JOIN LATERAL (
    SELECT quote_ident(relname) AS spelled FROM pg_class WHERE oid = by_privilege.oid
) AS relname_of
GROUP BY action, relname_of.spelled, roles.spelled
UNION ALL
SELECT concat_ws(' ', 'GRANT', privilege, 'ON', place, 'TO', spelled)
FROM places
WHERE (pg_has_role(owner, 'USAGE') OR NOT may)
    AND NOT EXISTS (
        SELECT FROM aclexplode(acl)
        WHERE grantee = places.oid AND privilege_type = privilege
    )
ORDER BY statement DESC
