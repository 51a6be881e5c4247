-- name: compare_users
-- Suspect those of these users, as Clerk has them and we would write them, who are not so here;
-- by the primary key. Ours that are newer are fine: a webhook has overtaken the page.
INSERT INTO suspects (resource, kind, id, clerk_id, version, mark, held, clock_ms)
SELECT
    'users', judged.kind, theirs.id, theirs.clerk_id, theirs.version, ours.version_event_id,
    ours.erase_at IS NOT NULL, $1
FROM unnest(
    $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::timestamptz[],
    $15::bigint[]
) AS theirs (
    id, clerk_id, email, email_verified, first_name, last_name, username, image_url, external_id,
    role, status, public_metadata, created_at, version
)
LEFT JOIN users AS ours ON ours.id = theirs.id
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN ours.id IS NULL THEN 'missing'
        WHEN ours.deleted_at IS NOT NULL THEN 'deleted_here'
        WHEN ours.version = 0 THEN 'missing'
        WHEN ours.version < theirs.version THEN 'stale'
        WHEN ours.version = theirs.version AND row(
            ours.email, ours.email_verified, ours.first_name, ours.last_name, ours.username,
            ours.image_url, ours.external_id, ours.role, ours.status, ours.public_metadata,
            ours.created_at
        ) IS DISTINCT FROM row(
            theirs.email, theirs.email_verified, theirs.first_name, theirs.last_name,
            theirs.username, theirs.image_url, theirs.external_id, theirs.role, theirs.status,
            theirs.public_metadata, theirs.created_at
        ) THEN 'altered'
    END AS kind
) AS judged
WHERE judged.kind IS NOT NULL
ON CONFLICT DO NOTHING

-- name: compare_organizations
-- The same of organizations.
INSERT INTO suspects (resource, kind, id, clerk_id, version, clock_ms)
SELECT 'organizations', judged.kind, theirs.id, theirs.clerk_id, theirs.version, $1
FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS theirs (id, clerk_id, version)
LEFT JOIN organizations AS ours ON ours.id = theirs.id
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN ours.id IS NULL THEN 'missing'
        WHEN ours.deleted_at IS NOT NULL THEN 'deleted_here'
        WHEN ours.version = 0 THEN 'missing'
        WHEN ours.version < theirs.version THEN 'stale'
    END AS kind
) AS judged
WHERE judged.kind IS NOT NULL
ON CONFLICT DO NOTHING

-- name: compare_memberships
-- The same of memberships; but those of users and organizations that are deleted here have no row,
-- and there is nothing more to say of them.
INSERT INTO suspects (
    resource, kind, id, clerk_id, version, user_id, organization_id, clock_ms
)
SELECT
    'memberships', judged.kind, theirs.id, theirs.clerk_id, theirs.version, theirs.user_id,
    theirs.organization_id, $1
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[])
    AS theirs (id, clerk_id, version, user_id, organization_id)
LEFT JOIN organization_memberships AS ours ON ours.id = theirs.id
LEFT JOIN users ON users.clerk_id = theirs.user_id
LEFT JOIN organizations ON organizations.clerk_id = theirs.organization_id
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN ours.id IS NULL THEN 'missing'
        WHEN ours.deleted_at IS NOT NULL THEN 'deleted_here'
        WHEN ours.version < theirs.version THEN 'stale'
    END AS kind
) AS judged
WHERE judged.kind IS NOT NULL
    AND users.deleted_at IS NULL
    AND organizations.deleted_at IS NULL
ON CONFLICT DO NOTHING

-- name: forget_named
-- Make room for the next resource.
TRUNCATE named, candidates
