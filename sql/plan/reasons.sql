-- Why records of a sample would go to quarantine, the most frequent reason first, each with the first example.
-- Input: {{ refused }}. Output: reason, records, partition, offset, message.
SELECT
    concat_ws(': ', nullif(r.column, ''), r.rule) AS reason,
    count(*) AS records,
    first(partition ORDER BY partition, "offset") AS partition,
    first("offset" ORDER BY partition, "offset") AS "offset",
    first(r.message ORDER BY partition, "offset") AS message
FROM (
    SELECT partition, "offset",
        unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR","message":"VARCHAR"}]')) AS r
    FROM {{ refused }}
)
GROUP BY ALL
ORDER BY records DESC, reason;
