-- The most frequent reasons of a batch, each with an example. Input: {{ refused }}.
-- Output: reason, records, partition, offset, value of the example.
SELECT
    concat_ws(': ', nullif(r.column, ''), r.rule) AS reason,
    count(*) AS records,
    arg_min(partition, "offset") AS partition,
    min("offset") AS "offset",
    arg_min(r.message, "offset") AS message
FROM (
    SELECT partition, "offset",
        unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR","message":"VARCHAR"}]')) AS r
    FROM {{ refused }}
)
GROUP BY ALL
ORDER BY records DESC, reason
LIMIT 3;
