-- name: be_patient
-- While the rest is applied, by another connection, this one has nothing to do.
SET LOCAL idle_in_transaction_session_timeout = '60s'

-- name: keep_writers_out
-- Readers go on. In the order of workers, who wait for the users first.
LOCK TABLE users, user_data, user_names, sessions, organizations, organization_memberships,
    organization_invitations, posts IN SHARE ROW EXCLUSIVE MODE

-- name: analyze
-- Or the first plans after a swap would be for empty tables.
ANALYZE rebuild.users, rebuild.user_data, rebuild.user_names, rebuild.sessions,
    rebuild.organizations, rebuild.organization_memberships, rebuild.organization_invitations
