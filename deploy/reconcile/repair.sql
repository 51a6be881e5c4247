-- name: list_suspects
-- The next suspects of these kinds, by the primary key.
SELECT resource, id, clerk_id, kind, version, user_id, organization_id, clock_ms
FROM suspects
WHERE resource = $1 AND kind = ANY($2::text[]) AND id > $3
ORDER BY id
LIMIT $4

-- name: describe_memberships
-- Memberships of ours, as Clerk's events of their deletion would have them.
SELECT
    memberships.id,
    jsonb_build_object(
        'object', 'organization_membership',
        'id', memberships.clerk_id,
        'role', memberships.role,
        'permissions', memberships.permissions,
        'public_metadata', memberships.public_metadata,
        'created_at', (extract(epoch FROM memberships.created_at) * 1000)::bigint,
        'updated_at', memberships.version,
        'organization', jsonb_build_object('object', 'organization', 'id', organizations.clerk_id),
        'public_user_data', jsonb_build_object('user_id', users.clerk_id)
    )::text AS known
FROM organization_memberships AS memberships
JOIN organizations ON organizations.id = memberships.organization_id
JOIN users ON users.id = memberships.user_id
WHERE memberships.id = ANY($1::uuid[])
