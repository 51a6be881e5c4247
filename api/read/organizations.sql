-- name: read_organization
-- An organization, by primary key, and the membership of user $2 in it while it lasts. OFFSET 0:
-- it is looked for among the user's memberships, by organization_memberships_user_id_idx, never
-- among all members of a large organization.
SELECT
    organizations.id,
    organizations.clerk_id,
    organizations.name,
    organizations.slug,
    organizations.image_url,
    organizations.public_metadata,
    organizations.status,
    organizations.created_at,
    organizations.updated_at,
    organizations.deleted_at,
    organizations.version,
    membership.role AS member_role,
    membership.permissions AS member_permissions,
    membership.created_at AS member_created_at
FROM organizations
LEFT JOIN LATERAL (
    SELECT role, permissions, created_at
    FROM (
        SELECT organization_id, role, permissions, created_at
        FROM organization_memberships
        WHERE user_id = $2 AND deleted_at IS NULL
        OFFSET 0
    ) AS own
    WHERE own.organization_id = organizations.id
    ORDER BY created_at DESC
    LIMIT 1
) AS membership ON true
WHERE organizations.id = $1;
