-- What a batch refuses, by reason; a record with two broken rules counts for both. Input: {{ refused }}.
-- Output: reason (column and rule), records.
SELECT concat_ws(': ', nullif(r.column, ''), r.rule) AS reason, count(*) AS records
FROM (SELECT unnest(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]')) AS r FROM {{ refused }})
GROUP BY ALL;
