-- Refusals: records in quarantine by column and rule, with the first and the newest of each.
-- Plot: records by rule per column, state
SELECT
    reason ->> '$.column' AS "column",
    reason ->> '$.rule' AS rule,
    state,
    count(*) AS records,
    min("partition" || '@' || "offset") AS example,
    strftime(min(kafka_time), '%Y-%m-%d %H:%M') AS first,
    strftime(max(kafka_time), '%Y-%m-%d %H:%M') AS newest
FROM (
    SELECT unnest(json_extract(reasons, '$[*]')) AS reason, "partition", "offset", state, kafka_time
    FROM loader.quarantine
    WHERE pipeline = {{ pipeline | text }}
)
GROUP BY ALL
ORDER BY records DESC, "column", rule
