-- name: find_span
-- How many letters there are, and when the first and the last died.
SELECT count(*) AS letters, min(dead_at) AS first, max(dead_at) AS last
FROM (:matching) AS letter

-- name: count_kinds
-- How many letters have each class, reason and type; the most frequent first.
SELECT kind, coalesce(value, 'unknown') AS value, count(*) AS letters
FROM (:matching) AS letter
CROSS JOIN LATERAL (
    VALUES
        ('error_class', letter.error_class),
        ('reason', nullif(concat_ws(' ', letter.error_code, letter.reason), '')),
        ('type', letter.type)
) AS told (kind, value)
GROUP BY 1, 2
ORDER BY kind, letters DESC, value

-- name: count_times
-- How many letters died in each hour or day, $11, from the first to the last.
WITH counted AS (
    SELECT date_trunc($11::text, dead_at, 'UTC') AS moment, count(*) AS letters
    FROM (:matching) AS letter
    GROUP BY 1
)
SELECT moment, coalesce(counted.letters, 0) AS letters
FROM generate_series(
    (SELECT min(moment) FROM counted),
    (SELECT max(moment) FROM counted),
    ('1 ' || $11)::interval,
    'UTC'
) AS moment
LEFT JOIN counted USING (moment)
ORDER BY moment
