-- The most frequent reasons of a batch, each with its first record as an example. Input: {{ refused }}.
-- Output: reason, records, partition, offset, message (with the value, where it has none
-- of its own; in one line, shortened).
WITH told AS (
    SELECT
        partition, "offset", concat_ws(': ', nullif(r.column, ''), r.rule) AS reason,
        regexp_replace(
            r.message || CASE WHEN r.column IS NULL AND r.value <> '' THEN ': ' || r.value ELSE '' END,
            '[\p{C}\p{Z}]+', ' ', 'g') AS message
    FROM (
        SELECT partition, "offset",
            unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR","value":"VARCHAR","message":"VARCHAR"}]')) AS r
        FROM {{ refused }}
    )
)
SELECT
    reason, count(*) AS records, first(partition ORDER BY partition, "offset") AS partition,
    first("offset" ORDER BY partition, "offset") AS "offset",
    first(CASE WHEN length(message) > 80 THEN left(message, 80) || '…' ELSE message END ORDER BY partition, "offset") AS message
FROM told
GROUP BY reason
ORDER BY records DESC, reason
LIMIT 3;
