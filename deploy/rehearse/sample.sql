-- name: list_columns
-- What can be copied: the columns of every table that is no partition of another.
SELECT relname AS table, attname AS column, format_type(atttypid, atttypmod) AS kind
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p')
    AND NOT relispartition
    AND relname <> 'alembic_version'
    AND attnum > 0
    AND NOT attisdropped
    AND attgenerated = ''
ORDER BY relname, attnum

-- name: list_references
-- Every foreign key, with what drops it, what deletes the rows that break it, and what adds it
-- again.
SELECT
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
        pg_get_constraintdef(pg_constraint.oid)) AS restore,
    format('DELETE FROM %s AS child WHERE %s AND NOT EXISTS (SELECT FROM %s AS parent WHERE %s)',
        conrelid::regclass, pairs.given, confrelid::regclass, pairs.equal) AS delete_orphans
FROM pg_constraint
CROSS JOIN LATERAL (
    SELECT
        string_agg(format('child.%I IS NOT NULL', own.attname), ' AND ') AS given,
        string_agg(format('parent.%I = child.%I', other.attname, own.attname), ' AND ') AS equal
    FROM unnest(conkey, confkey) AS pair (own, other)
    JOIN pg_attribute AS own ON own.attrelid = conrelid AND own.attnum = pair.own
    JOIN pg_attribute AS other ON other.attrelid = confrelid AND other.attnum = pair.other
) AS pairs
WHERE contype = 'f' AND conparentid = 0

-- name: list_sequences
-- What lets the next number of each column that counts by itself follow the greatest there is.
SELECT format('SELECT setval(%L, greatest((SELECT max(%I) FROM %s), 1))',
    counted.sequence, attname, attrelid::regclass) AS restore
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
CROSS JOIN LATERAL (
    SELECT pg_get_serial_sequence(attrelid::regclass::text, attname) AS sequence
) AS counted
WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p')
    AND NOT relispartition
    AND attnum > 0
    AND NOT attisdropped
    AND counted.sequence IS NOT NULL

-- name: describe
-- Every column, constraint, index and trigger of every table that is no partition of another, as
-- text to compare.
WITH ours AS (
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p')
        AND NOT relispartition
        AND relname <> 'alembic_version'
)
SELECT
    relname AS table,
    concat_ws(' ', 'column', attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'NOT NULL' END,
        'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS part
FROM ours
JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL
SELECT relname, concat_ws(' ', 'constraint', conname, pg_get_constraintdef(pg_constraint.oid))
FROM ours JOIN pg_constraint ON conrelid = ours.oid
WHERE contype <> 'n'
UNION ALL
SELECT relname, pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
FROM ours JOIN pg_index ON indrelid = ours.oid
UNION ALL
SELECT relname, pg_get_triggerdef(pg_trigger.oid)
FROM ours JOIN pg_trigger ON tgrelid = ours.oid
WHERE NOT tgisinternal
