-- name: read_users
-- Every row, whole; so are the next four.
SELECT * FROM users

-- name: read_organizations
SELECT * FROM organizations

-- name: read_sessions
SELECT * FROM sessions

-- name: read_organization_memberships
SELECT * FROM organization_memberships

-- name: read_organization_invitations
SELECT * FROM organization_invitations

-- name: read_user_data
-- All that is known of each user, as one row.
SELECT users.clerk_id, user_data.key, user_data.value
FROM user_data JOIN users ON users.id = user_data.user_id

-- name: read_events
-- The ledger.
SELECT event_id, outcome FROM events
