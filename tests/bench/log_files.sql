-- name: fill_file
-- Something in this file, or it would not be left.
SELECT pg_logical_emit_message(false, 'bench', 'here')

-- name: begin_next
-- Go on in the next file of the log.
SELECT pg_switch_wal()
