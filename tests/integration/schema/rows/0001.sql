-- Rows as the code of revision 0001 writes them: whole, sparse, deleted; every outcome.
INSERT INTO users (
    id, clerk_id, email, email_verified, first_name, last_name, username, image_url, external_id,
    role, status, public_metadata, last_sign_in_at, last_active_at, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id
) VALUES
    ('00000000-0000-5000-8000-000000000001', 'user_whole', 'ada@example.com', true, 'Ada',
        'Lovelace', 'ada', 'https://img.example.com/a', 'ext-1', 'admin', 'active',
        '{"role": "admin", "deep": {"list": [1, null, "ü"]}}', '2026-01-02Z', '2026-01-03Z',
        '2026-01-01Z', '2026-01-02Z', NULL, 1767312000000, 1767312000012, 'msg_1'),
    ('00000000-0000-5000-8000-000000000002', 'user_same_address', 'ada@example.com', false, '', '',
        NULL, NULL, NULL, 'user', 'banned', '{}', NULL, NULL, '2026-01-01Z', '2026-01-01Z', NULL,
        1767225600000, 1767225600012, 'msg_2'),
    ('00000000-0000-5000-8000-000000000003', 'user_gone', NULL, false, NULL, NULL, NULL, NULL,
        NULL, 'user', 'deleted', '{}', NULL, NULL, NULL, NULL, '2026-02-01Z', 1769904000000,
        1769904000000, 'msg_3');

INSERT INTO users (id, clerk_id)
VALUES ('00000000-0000-5000-8000-000000000004', 'user_only_referred_to');

INSERT INTO events (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
) VALUES
    ('msg_1', '2026-01-02Z', 'user.created', 'user_whole', '2026-01-02Z', now(), 'applied', NULL,
        'clerk.user-events', 3, 0),
    ('msg_2', now(), 'user.updated', 'user_same_address', now(), now(), 'stale', NULL,
        'clerk.user-events', 3, 1),
    ('msg_9', '9999-12-31Z', 'role.created', NULL, now(), now(), 'ignored', NULL,
        'clerk.org-events', 0, 9223372036854775807),
    ('clerk.user-events-0-7', '1970-01-01Z', 'unknown', NULL, now(), now(), 'dead',
        'data.id: missing', 'clerk.user-events', 0, 7);
