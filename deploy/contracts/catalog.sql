-- name: facts
-- What the catalogue says of every table of a schema, one fact a row, columns in their order:
-- the current schema, or what this session has created in pg_temp. A partition is a part of its
-- table. Names of schemas are left out and numbers unquoted, so that equal tables read equally.
WITH tables AS (
    SELECT c.oid, c.relname
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'alembic_version'
        AND c.relnamespace = CASE WHEN :temporary THEN pg_my_temp_schema()
            ELSE (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = current_schema()) END
), columns AS (
    SELECT
        t.relname AS "table",
        a.*,
        regexp_replace(pg_get_expr(d.adbin, d.adrelid), '^''(-?\d+)''::\w+$', '\1') AS "default"
    FROM tables AS t
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), facts AS (
    SELECT t.relname AS "table", '' AS "column", 0 AS place, fact.name AS aspect, fact.value
    FROM tables AS t
    CROSS JOIN LATERAL (VALUES
        ('comment', obj_description(t.oid, 'pg_class')),
        ('partitioning', pg_get_partkeydef(t.oid))
    ) AS fact (name, value)
    UNION ALL
    SELECT c."table", c.attname, c.attnum, fact.name, fact.value
    FROM columns AS c
    CROSS JOIN LATERAL (VALUES
        ('type', format_type(c.atttypid, c.atttypmod)),
        ('nullability', CASE WHEN c.attnotnull THEN 'NOT NULL' ELSE 'NULL' END),
        ('default', c."default"),
        ('identity', nullif(c.attidentity::text, '')),
        ('generated', nullif(c.attgenerated::text, '')),
        ('comment', col_description(c.attrelid, c.attnum))
    ) AS fact (name, value)
    UNION ALL
    -- A constraint of one column is a fact of that column. NOT NULL is among the columns' facts.
    SELECT t.relname, coalesce(a.attname, ''), coalesce(a.attnum, 0), 'constraint ' || k.conname,
        regexp_replace(pg_get_constraintdef(k.oid), 'REFERENCES \w+\.', 'REFERENCES ')
    FROM tables AS t
    JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype <> 'n'
    LEFT JOIN pg_attribute AS a
        ON a.attrelid = t.oid AND cardinality(k.conkey) = 1 AND a.attnum = k.conkey[1]
    UNION ALL
    SELECT t.relname, '', 0, 'index ' || i.indexrelid::regclass::name,
        regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?\S+ USING ', ' USING ')
    FROM tables AS t
    JOIN pg_index AS i ON i.indrelid = t.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
)
SELECT "table", "column", aspect, value
FROM facts
WHERE value IS NOT NULL
ORDER BY "table", place, aspect
