-- Records of a staging table by reason; one with two broken rules counts for both. Input: {{ name }} with a
-- column reasons (JSON, or NULL). Output: reason, records.
SELECT concat_ws(': ', nullif(r.column, ''), r.rule) AS reason, count(*) AS records
FROM (
    SELECT unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]')) AS r FROM {{ name }} WHERE reasons IS NOT NULL
)
GROUP BY ALL
ORDER BY records DESC, reason;
