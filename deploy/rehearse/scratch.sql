-- name: how_to_create
-- The statement that makes an empty database with the encoding and order of this one.
SELECT format(
    'CREATE DATABASE %I TEMPLATE template0 ENCODING %L LOCALE_PROVIDER %s LC_COLLATE %L LC_CTYPE %L',
    $1::text, pg_encoding_to_char(encoding),
    CASE datlocprovider WHEN 'b' THEN 'builtin' WHEN 'i' THEN 'icu' ELSE 'libc' END,
    datcollate, datctype
) || CASE datlocprovider
    WHEN 'b' THEN format(' BUILTIN_LOCALE %L', datlocale)
    WHEN 'i' THEN format(' ICU_LOCALE %L', datlocale)
    ELSE ''
END
FROM pg_database WHERE datname = current_database()

-- name: list_leftovers
-- Scratch databases without a connection.
SELECT datname AS name FROM pg_database
WHERE starts_with(datname, $1)
    AND NOT EXISTS (SELECT FROM pg_stat_activity AS used WHERE used.datname = pg_database.datname)
ORDER BY datname
