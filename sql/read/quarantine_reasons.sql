-- Quarantine entries by reason; an entry with two broken rules counts for both.
-- Input: the condition `wanted` (quarantine_wanted.sql). Output: reason, records.
SELECT concat_ws(': ', nullif(r.column, ''), r.rule) AS reason, count(*) AS records
FROM (
    SELECT unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]')) AS r
    FROM lake.loader.quarantine
    WHERE {{ wanted }}
)
GROUP BY ALL
ORDER BY records DESC, reason;
