-- Rows as the code of revision 0008 writes them: users whole, sparse, held back, restored, only
-- referred to, erased; sessions in every status; memberships that last or ended; organizations
-- living, deleted, only referred to; every key of user data; every outcome; dead letters in every
-- state, ours and foreign; operations done and broken off; lines that stand and that go on;
-- changes told of users, of one who is gone, of a post; posts that live, changed before they were
-- seen, deleted; user data that a command set, and that one deleted; sweeps that run and that are
-- through.
INSERT INTO users (
    id, clerk_id, email, email_verified, first_name, last_name, username, image_url, external_id,
    role, status, public_metadata, last_sign_in_at, last_active_at, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id, signup_source, last_event_at,
    deletion_event_id, erase_at, held_status, restored_at
) VALUES
    ('00000000-0000-5000-8000-000000000001', 'user_whole', 'ada@example.com', true, 'Ada',
        'Lovelace', 'ada', 'https://img.example.com/a', 'ext-1', 'admin', 'active',
        '{"role": "admin", "deep": {"list": [1, null, "ü", 1e400, 12345678901234567890.10]}}',
        '2026-01-02Z', '2026-01-03Z', '2026-01-01Z', '2026-01-02Z', NULL, 1767312000000,
        1767312000012, 'msg_1', 'invite', '2026-01-03 00:00:00.001Z', NULL, NULL, NULL, NULL),
    ('00000000-0000-5000-8000-000000000002', 'user_same_address', 'ada@example.com', false, '', '',
        NULL, NULL, NULL, 'user', 'banned', '{}', NULL, NULL, '2026-01-01Z', '2026-01-01Z', NULL,
        1767225600000, 0, 'msg_2', 'clerk', NULL, NULL, NULL, NULL, NULL),
    ('00000000-0000-5000-8000-000000000003', 'user_erased', NULL, false, NULL, NULL, NULL, NULL,
        NULL, 'user', 'deleted', '{}', NULL, NULL, NULL, NULL, '2026-02-01Z', 1769904000000,
        1769904000000, 'msg_3', NULL, NULL, 'msg_3', NULL, NULL, NULL),
    ('00000000-0000-5000-8000-000000000005', 'user_held_back', 'grace@example.com', true, 'Grace',
        'Hopper', NULL, 'https://img.example.com/g', NULL, 'admin', 'deleted', '{"role": "admin"}',
        '2026-01-05Z', '2026-01-05Z', '2026-01-04Z', '2026-01-05Z', '2026-02-02Z', 1767571200000,
        1767571200007, 'msg_5', 'admin', '2026-02-02Z', 'msg_6', '2026-03-04Z', 'locked', NULL),
    ('00000000-0000-5000-8000-000000000006', 'user_held_back_unseen', NULL, false, NULL, NULL,
        NULL, NULL, NULL, 'user', 'deleted', '{}', NULL, NULL, NULL, NULL, '1970-01-01Z', 0, 0, '',
        NULL, '2026-02-02Z', 'msg_7', '2026-03-04Z', 'pending', NULL),
    ('00000000-0000-5000-8000-000000000007', 'user_restored', 'mary@example.com', true, 'Mary',
        NULL, NULL, NULL, NULL, 'user', 'deprovisioned', '{}', NULL, NULL, '2026-01-04Z',
        '2026-01-05Z', NULL, 1767571200000, 1767571200007, 'msg_8', 'clerk', '2026-02-02Z', NULL,
        NULL, NULL, '2026-02-03Z');

INSERT INTO users (id, clerk_id)
VALUES ('00000000-0000-5000-8000-000000000004', 'user_only_referred_to');

INSERT INTO user_names (
    user_id, version, version_timestamp, version_event_id, first_name, last_name
) VALUES
    ('00000000-0000-5000-8000-000000000001', 1767225600000, 1767225600012, 'msg_0', 'Augusta Ada',
        'Byron'),
    ('00000000-0000-5000-8000-000000000001', 1767312000000, 1767312000012, 'msg_1', 'Ada',
        'Lovelace'),
    ('00000000-0000-5000-8000-000000000002', 1767225600000, 0, 'msg_2', '', ''),
    ('00000000-0000-5000-8000-000000000007', 1767571200000, 1767571200007, 'msg_8', 'Mary', NULL);

INSERT INTO user_data (user_id, key, value)
SELECT '00000000-0000-5000-8000-000000000001'::uuid, key, value::jsonb
FROM (VALUES
    ('preferences', '{"theme": "system", "notifications": false, "language": "zh-Hant-TW",
        "timezone": "Europe/Lisbon"}'),
    ('feature_flags', '{"new-editor": true, "a.b_c": false}'),
    ('onboarding_status', '{"step": "complete", "completed": true,
        "started_at": "2026-01-01T00:00:00.000Z", "completed_at": "2026-01-01T00:05:00.000Z"}'),
    ('session_count', '2'),
    ('last_active', '"2026-01-03T00:00:00.000Z"'),
    ('login_history', '[{"timestamp": "2026-01-02T00:00:00.000Z", "success": true},
        {"timestamp": "2026-01-01T00:00:00.060Z", "device": "Chrome on Macintosh",
        "ip": "2001:db8::1", "success": true}]'),
    ('name_history', '[{"first_name": "Ada", "last_name": "Lovelace",
        "timestamp": "2026-01-02T00:00:00.000Z"}, {"first_name": "Augusta Ada",
        "last_name": "Byron", "timestamp": "2026-01-01T00:00:00.000Z"}]'),
    ('last_clerk_sync', '"2026-01-03T00:00:00.001Z"'),
    ('signup_date', '"2026-01-01T00:00:00.000Z"'),
    ('signup_source', '"invite"')
) AS whole (key, value)
UNION ALL VALUES
    ('00000000-0000-5000-8000-000000000002'::uuid, 'feature_flags', '{}'::jsonb),
    ('00000000-0000-5000-8000-000000000002', 'login_history', '[]'),
    ('00000000-0000-5000-8000-000000000004', 'session_count', '0'),
    ('00000000-0000-5000-8000-000000000005', 'name_history', '[{"first_name": "ü\"\\",
        "last_name": null, "timestamp": "1970-01-01T00:00:00.000Z"}]');

-- Of `active` and of `ended`, one is whole and one sparse; the held-back user keeps theirs.
INSERT INTO sessions (
    id, clerk_id, user_id, status, impersonated, device, ip_address, last_active_at, expire_at,
    abandon_at, created_at, updated_at, version, version_timestamp, version_event_id,
    activity_version, activity_event_id
) VALUES
    ('00000000-0000-5000-8000-000000000101', 'sess_whole', '00000000-0000-5000-8000-000000000001',
        'active', false, 'Chrome on Macintosh', '2001:db8::1', '2026-01-03Z', '2026-01-08Z',
        '2026-01-31Z', '2026-01-01 00:00:00.060Z', '2026-01-02Z', 1767312000000, 1767312000012,
        'msg_101', 1767225600060, 'msg_100'),
    ('00000000-0000-5000-8000-000000000102', 'sess_ended', '00000000-0000-5000-8000-000000000001',
        'ended', false, NULL, NULL, NULL, NULL, NULL, '2026-01-02Z', '2026-01-02Z',
        1767312000000, 0, 'msg_102', NULL, NULL),
    ('00000000-0000-5000-8000-000000000103', 'sess_lent', '00000000-0000-5000-8000-000000000001',
        'active', true, 'phone', NULL, NULL, NULL, NULL, '2026-01-02Z', '2026-01-02Z',
        1767312000000, 0, 'msg_103', 0, '');

INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
SELECT format('00000000-0000-5000-8000-0000000002%s', lpad(n::text, 2, '0'))::uuid,
    'sess_' || status || '_2', '00000000-0000-5000-8000-000000000005', status, '2026-01-05Z',
    '2026-01-06Z'
FROM unnest(ARRAY['pending', 'active', 'ended', 'removed', 'revoked', 'expired', 'abandoned',
    'replaced']) WITH ORDINALITY AS each (status, n);

INSERT INTO organizations (
    id, clerk_id, name, slug, image_url, public_metadata, status, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id
) VALUES
    ('00000000-0000-5000-8000-000000000301', 'org_whole', 'Northwind ''Robotics''', 'northwind',
        'https://img.example.com/n', '{"tier": ["team", null, {"é": 1.10}]}', 'active',
        '2026-01-01Z', '2026-01-02Z', NULL, 1767312000000, 1767312000001, 'msg_301'),
    ('00000000-0000-5000-8000-000000000302', 'org_sparse', '', NULL, NULL, '{}', 'active',
        '2026-01-01Z', '2026-01-01Z', NULL, 1767225600000, 0, 'msg_302'),
    ('00000000-0000-5000-8000-000000000303', 'org_gone', NULL, NULL, NULL, '{}', 'deleted', NULL,
        NULL, '2026-02-01Z', 1769904000000, 1769904000000, 'msg_303');

INSERT INTO organizations (id, clerk_id)
VALUES ('00000000-0000-5000-8000-000000000304', 'org_only_referred_to');

INSERT INTO organization_memberships (
    id, clerk_id, organization_id, user_id, role, permissions, public_metadata, created_at,
    updated_at, deleted_at, version, version_timestamp, version_event_id
) VALUES
    ('00000000-0000-5000-8000-000000000401', 'orgmem_lasting',
        '00000000-0000-5000-8000-000000000301', '00000000-0000-5000-8000-000000000001',
        'org:admin', '["org:sys_memberships:read", "org:ü:manage"]', '{"since": null}',
        '2026-01-01Z', '2026-01-02Z', NULL, 1767312000000, 1767312000001, 'msg_401'),
    ('00000000-0000-5000-8000-000000000402', 'orgmem_ended',
        '00000000-0000-5000-8000-000000000301', '00000000-0000-5000-8000-000000000001',
        'org:member', '[]', '{}', '2025-01-01Z', '2025-01-01Z', '2025-06-01Z', 1735689600000,
        1748736000000, 'msg_402'),
    ('00000000-0000-5000-8000-000000000403', 'orgmem_of_the_held_back',
        '00000000-0000-5000-8000-000000000304', '00000000-0000-5000-8000-000000000005', '',
        '[]', '{}', '2026-01-04Z', '2026-01-04Z', NULL, 1767484800000, 0, 'msg_403');

INSERT INTO organization_invitations (
    id, clerk_id, organization_id, user_id, role, created_at, accepted_at, version,
    version_timestamp, version_event_id
) VALUES
    ('00000000-0000-5000-8000-000000000501', 'orginv_accepted',
        '00000000-0000-5000-8000-000000000301', '00000000-0000-5000-8000-000000000001',
        'org:member', '2025-12-31Z', '2026-01-01Z', 1767225600000, 1767225600003, 'msg_501'),
    ('00000000-0000-5000-8000-000000000502', 'orginv_of_strangers',
        '00000000-0000-5000-8000-000000000304', '00000000-0000-5000-8000-000000000004',
        'org:member', '2026-01-01Z', '2026-01-01Z', 1767225600000, 0, 'msg_502');

INSERT INTO events (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
) VALUES
    ('msg_1', '2026-01-02Z', 'user.created', 'user_whole', '2026-01-02Z', now(), 'applied', NULL,
        'clerk.user-events', 3, 0),
    ('msg_2', now(), 'user.updated', 'user_same_address', now(), now(), 'stale', NULL,
        'clerk.user-events', 3, 1),
    ('msg_3', '2026-02-01Z', 'user.deleted', 'user_erased', now(), now(), 'applied', NULL,
        'clerk.user-events', 3, 2),
    ('msg_4', '2026-01-31Z', 'user.updated', NULL, now(), now(), 'stale', NULL,
        'clerk.user-events', 3, 3),
    ('cmd_1', '2026-01-31Z', 'clerkwork.post.change', 'user_whole', now(), now(), 'refused',
        'not the author', 'app.user-commands', 3, 0),
    ('msg_101', '2026-01-02Z', 'session.created', 'user_whole', now(), now(), 'applied', NULL,
        'clerk.user-events', 3, 4),
    ('msg_303', '2026-02-01Z', 'organization.deleted', NULL, now(), now(), 'applied', NULL,
        'clerk.org-events', 0, 0),
    ('msg_9', '9999-12-31Z', 'role.created', NULL, now(), now(), 'ignored', NULL,
        'clerk.org-events', 0, 9223372036854775807),
    ('clerk.user-events-0-7', '1970-01-01Z', 'unknown', NULL, now(), now(), 'dead',
        'data.id: missing', 'clerk.user-events', 0, 7),
    ('msg_10', '2026-02-03Z', 'user.updated', 'user_whole', now(), now(), 'retrying',
        'KeyError', 'clerk.user-events', 3, 5);

INSERT INTO operations (
    id, action, operator, selection, planned, done, started_at, finished_at
) VALUES
    ('00000000-0000-4000-8000-000000000601', 'replay', 'ada@console', '{"error_class": "bug"}',
        2, 2, '2026-02-04Z', '2026-02-04 00:00:01Z'),
    ('00000000-0000-4000-8000-000000000602', 'replay', 'ada@console', '{}', 1, 0, '2026-02-05Z',
        NULL),
    ('00000000-0000-4000-8000-000000000603', 'edit', 'ada@console', '{"event_id": "msg_11"}', 1,
        1, '2026-02-06Z', '2026-02-06Z'),
    ('00000000-0000-4000-8000-000000000604', 'purge', 'ada@console', '{"reason": "ü_%"}', 1, 1,
        '2026-02-07Z', '2026-02-07Z'),
    ('00000000-0000-4000-8000-000000000605', 'release', 'ada@console', '{}', 1, 1, '2026-02-08Z',
        '2026-02-08Z');

INSERT INTO dead_letters (
    topic, partition, "offset", dead_at, source_topic, source_partition, source_offset, event_id,
    type, clerk_user_id, error_class, error_code, reason, attempts, first_failed_at, replays,
    edited, state, operation_id
) VALUES
    ('clerk.user-events.dlq', 0, 0, '2026-02-03Z', 'clerk.user-events', 3, 6, 'msg_11',
        'user.updated', 'user_whole', 'poison.decode', 'UNREADABLE_EVENT', '$.data.id: missing',
        1, '2026-02-03Z', 0, false, 'open', NULL),
    ('clerk.user-events.dlq', 0, 1, '2026-02-03Z', 'clerk.user-events', 3, 7, 'msg_12',
        'user.updated', NULL, 'bug', 'KeyError', NULL, 4, '2026-02-03Z', 1, true, 'replaying',
        '00000000-0000-4000-8000-000000000602'),
    ('clerk.user-events.dlq', 0, 2, '2026-02-03Z', 'clerk.user-events', 3, 8, 'msg_13',
        'user.updated', 'user_whole', 'bug', 'KeyError', NULL, 4, '2026-02-03Z', 0, false,
        'replayed', '00000000-0000-4000-8000-000000000601'),
    ('clerk.user-events.dlq', 2, 9223372036854775807, '2026-02-03Z', 'clerk.user-events', 3, 9,
        'msg_14', 'user.updated', 'user_whole', 'poison.data', 'REFUSED_VALUE', 'too long', 1,
        '2026-02-03Z', 3, false, 'parked', NULL),
    ('clerk.unreadable.dlq', 0, 0, '2026-02-03Z', NULL, NULL, NULL, NULL, NULL, NULL, 'unknown',
        NULL, NULL, 0, NULL, 0, false, 'purged', '00000000-0000-4000-8000-000000000604');

INSERT INTO applied_offsets (topic, partition, next_offset, applied_at) VALUES
    ('clerk.user-events', 3, 6, '2026-02-03Z'),
    ('clerk.org-events', 0, 0, '2026-02-03Z');

INSERT INTO line_stops (
    topic, partition, rejects, events, reason, stopped_at, released_at, allowance
) VALUES
    ('clerk.user-events', 3, 50, 100, '$.data.id: missing', '2026-02-03Z', NULL, 0),
    ('clerk.org-events', 0, 1, 1, '', '2026-02-03Z', '2026-02-04Z', 1000);

INSERT INTO outbox (position, topic, key, type, owner, public, state, traceparent) VALUES
    (1769904000000000, 'user.changes', 'user_whole', 'clerkwork.user.created', 'user_whole', false,
        '{"schema_version": 1, "first_name": "Ü\"", "public_metadata": {"a": [1, null]}}',
        '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
    (1769904000000001, 'user.changes', 'user_gone', 'clerkwork.user.deleted', 'user_gone', false,
        NULL, NULL),
    (9223372036854775807, 'post.changes', '00000000-0000-4000-8000-000000000701',
        'clerkwork.post.created', 'user_whole', true, '{}', NULL);

INSERT INTO relay_progress (name, position, published_at, forgotten) VALUES
    ('outbox', 1769904000000001, '2026-02-03Z', 0);

INSERT INTO posts (
    id, user_id, title, body, status, created_at, updated_at, deleted_at, version, title_version,
    title_event_id, body_version, body_event_id, status_version, status_event_id
) VALUES
    ('00000000-0000-8000-8000-000000000801', '00000000-0000-5000-8000-000000000001', 'Über', 'B',
        'published', '2026-01-02Z', '2026-01-03Z', NULL, 1767398400000, 1767398400000, 'cmd_2', 0,
        '', 1767398400000, 'cmd_2'),
    ('00000000-0000-8000-8000-000000000802', '00000000-0000-5000-8000-000000000004', '', 'late',
        'draft', NULL, NULL, NULL, 0, 0, '', 1767398400000, 'cmd_3', 0, ''),
    ('00000000-0000-8000-8000-000000000803', '00000000-0000-5000-8000-000000000001', '', '',
        'draft', NULL, NULL, '2026-01-04Z', 1767484800000, 0, '', 0, '', 0, '');

INSERT INTO user_data (user_id, key, value, version, version_event_id) VALUES
    ('00000000-0000-5000-8000-000000000007', 'preferences', '{"theme": "dark",
        "notifications": true, "language": "en", "timezone": "UTC"}', 1767398400000, 'cmd_4'),
    ('00000000-0000-5000-8000-000000000007', 'feature_flags', NULL, 1767398400000, 'cmd_5');

INSERT INTO sweeps (
    kind, resource, cursor, changed_until, seen, published, started_at, noted_at, finished_at
) VALUES
    ('backfill', 'users', 'user_whole', NULL, 500, 499, '2026-02-01Z', '2026-02-01 00:00:01Z',
        NULL),
    ('reconcile', 'memberships', NULL, 1767312000000, 20, 0, '2026-02-01Z',
        '2026-02-01 00:00:02Z', '2026-02-01 00:00:02Z');
