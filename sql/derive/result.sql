-- What a derive file gives. Input: the SELECTs of its two relations `new` and `so_far`, its text, and the batch.
-- Output: its columns, then _batch. Nothing is materialized: `so_far` is the whole target.
WITH new AS NOT MATERIALIZED (
{{ new }}
),
so_far AS NOT MATERIALIZED (
{{ so_far }}
)
SELECT *, {{ batch }}::BIGINT AS _batch
FROM (
{{ sql }}
) AS derived
