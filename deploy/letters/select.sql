-- name: matching
-- The letters that are asked for; a null asks for nothing. $1 is the state where it is only one,
-- for which, and for the time, there is an index; as there is for users and events.
SELECT * FROM dead_letters
    WHERE ($1::text IS NULL OR state = $1)
        AND state = ANY($2::text[])
        AND ($3::text IS NULL OR strpos(lower(concat_ws(' ', error_code, reason)), lower($3)) > 0)
        AND ($4::text IS NULL OR error_class = $4)
        AND ($5::text IS NULL OR type = $5)
        AND ($6::text IS NULL OR clerk_user_id = $6)
        AND ($7::text IS NULL OR topic = $7 OR source_topic = $7)
        AND ($8::timestamptz IS NULL OR dead_at >= $8)
        AND ($9::timestamptz IS NULL OR dead_at < $9)
        AND ($10::text IS NULL OR event_id = $10)
