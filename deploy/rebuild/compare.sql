-- name: spell_comparisons
-- Put tables, keys and columns into the two statements below.
SELECT
    relname AS table,
    format($2, relname, keys.list, columns.counted, columns.live, columns.rebuilt, keys.first)
        AS count,
    format($3, relname, keys.list, keys.texts, columns.live, columns.rebuilt) AS list
FROM pg_class
CROSS JOIN LATERAL (
    SELECT
        string_agg(format('%I', attname), ', ' ORDER BY place) AS list,
        string_agg(format('%I::text', attname), ', ' ORDER BY place) AS texts,
        quote_ident((array_agg(attname ORDER BY place))[1]) AS first
    FROM pg_index
    CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = number
    WHERE indrelid = pg_class.oid AND indisprimary
) AS keys
CROSS JOIN LATERAL (
    SELECT
        string_agg(format('live.%I', attname), ', ' ORDER BY attnum) AS live,
        string_agg(format('rebuilt.%I', attname), ', ' ORDER BY attnum) AS rebuilt,
        string_agg(
            format(
                '%1$L, count(*) FILTER (WHERE live.%2$s = rebuilt.%2$s'
                    ' AND live.%1$I IS DISTINCT FROM rebuilt.%1$I)',
                attname, keys.first
            ),
            ', ' ORDER BY attnum
        ) AS counted
    FROM pg_attribute
    WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
) AS columns
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY($1::text[])
ORDER BY array_position($1::text[], relname::text)

-- name: count_differences
-- How many rows differ, and in which columns.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE rebuilt.%6$s IS NULL) AS only_live,
    count(*) FILTER (WHERE live.%6$s IS NULL) AS only_rebuilt,
    jsonb_build_object(%3$s) AS columns
FROM %1$I AS live
FULL JOIN rebuild.%1$I AS rebuilt USING (%2$s)
WHERE row(%4$s) IS DISTINCT FROM row(%5$s)

-- name: list_differences
-- The first rows that differ, whole.
SELECT ARRAY[%3$s] AS key, to_jsonb(live) AS live, to_jsonb(rebuilt) AS rebuilt
FROM %1$I AS live
FULL JOIN rebuild.%1$I AS rebuilt USING (%2$s)
WHERE row(%4$s) IS DISTINCT FROM row(%5$s)
ORDER BY %2$s
LIMIT $1
