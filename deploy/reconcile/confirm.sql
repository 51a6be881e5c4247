-- name: count_living
-- How many rows there are that could be deleted: of users, organizations and memberships.
SELECT
    (SELECT count(*) FROM users WHERE deleted_at IS NULL AND NOT starts_with(clerk_id, $1))
        AS users,
    (SELECT count(*) FROM organizations WHERE deleted_at IS NULL) AS organizations,
    (SELECT count(*) FROM organization_memberships WHERE deleted_at IS NULL) AS memberships

-- name: list_users
-- Users whom Clerk has not named, stubs too. Who was created at Clerk since the walk began need
-- not be on any page. Reads the table from end to end, as a comparison must.
INSERT INTO candidates (id, clerk_id, version, restored)
SELECT id, clerk_id, version, restored_at IS NOT NULL
FROM users
WHERE deleted_at IS NULL
    AND NOT starts_with(clerk_id, $2)
    AND (created_at < $1) IS NOT FALSE
    AND NOT EXISTS (SELECT FROM named WHERE named.id = users.id)

-- name: list_organizations
-- Organizations, the same.
INSERT INTO candidates (id, clerk_id, version, restored)
SELECT id, clerk_id, version, false
FROM organizations
WHERE deleted_at IS NULL
    AND (created_at < $1) IS NOT FALSE
    AND NOT EXISTS (SELECT FROM named WHERE named.id = organizations.id)

-- name: list_memberships
-- Memberships, the same; but not those that end with their user or organization.
INSERT INTO candidates (id, clerk_id, version, restored, user_id, organization_id)
SELECT
    memberships.id, memberships.clerk_id, memberships.version, false, users.clerk_id,
    organizations.clerk_id
FROM organization_memberships AS memberships
JOIN users ON users.id = memberships.user_id AND users.deleted_at IS NULL
JOIN organizations ON organizations.id = memberships.organization_id
    AND organizations.deleted_at IS NULL
WHERE memberships.deleted_at IS NULL
    AND memberships.created_at < $1
    AND NOT EXISTS (SELECT FROM named WHERE named.id = memberships.id)
    AND NOT EXISTS (
        SELECT FROM suspects
        WHERE (resource, suspects.id) IN (
            ('users', memberships.user_id), ('organizations', memberships.organization_id)
        ) AND kind IN ('deleted_upstream', 'restored')
    )

-- name: take_candidates
-- The next of them, by the primary key.
SELECT * FROM candidates WHERE id > $1 ORDER BY id LIMIT $2

-- name: count_candidates
-- How many there are.
SELECT count(*) FROM candidates

-- name: suspect
-- Suspect rows of ours: that Clerk has them no more, or that they differ otherwise.
INSERT INTO suspects (
    resource, kind, id, clerk_id, version, user_id, organization_id, clock_ms
)
SELECT $1, seen.*
FROM unnest(
    $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[]
) AS seen (kind)
ON CONFLICT DO NOTHING

-- name: list_deleted_here
-- What is deleted here though a page had it.
SELECT resource, id, clerk_id, user_id, organization_id FROM suspects
WHERE kind = 'deleted_here' AND (resource, id) > ($1, $2)
ORDER BY resource, id
LIMIT $3

-- name: dismiss
-- Clerk has deleted these since their page.
DELETE FROM suspects WHERE resource = $1 AND id = ANY($2::uuid[])
