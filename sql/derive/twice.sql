-- A key that stands twice in a result. Input: {{ name }}, the quoted key columns. Output: the key as text, rows; or nothing.
SELECT concat_ws(', ', {% for column in key %}{{ ', ' if not loop.first }}coalesce(CAST({{ column }} AS VARCHAR), 'NULL'){% endfor %}) AS key, count(*) AS rows
FROM {{ name }}
GROUP BY {{ key | join(', ') }}
HAVING count(*) > 1
LIMIT 1;
