-- What a batch refuses, by reason; a record with two broken rules counts for both. Names of unknown fields are the
-- sender's, and any number of them may come: they are one reason. Input: {{ refused }}.
-- Output: reason (column and rule), records.
SELECT
    CASE WHEN r.rule = 'unknown' THEN r.rule ELSE concat_ws(': ', nullif(r.column, ''), r.rule) END AS reason,
    count(DISTINCT (partition, "offset")) AS records
FROM (
    SELECT partition, "offset", unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]')) AS r
    FROM {{ refused }}
)
GROUP BY ALL;
