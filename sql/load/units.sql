-- How many rows of a batch belong to each unit of the table's layout, most first; at most {{ most }} units with
-- more than {{ least }} rows. Input: rows (a SELECT), keys (functions of a time), column. Output: the keys, records.
SELECT {% for key in keys %}{{ key }}({{ column | ident }})::BIGINT AS {{ key }}, {% endfor %}count(*) AS records
FROM ({{ rows }})
WHERE isfinite({{ column | ident }})
GROUP BY ALL
HAVING records > {{ least }}
ORDER BY records DESC, {{ keys | join(', ') }}
LIMIT {{ most }};
