-- Of rows, those whose key is not among others: where the first row of a key stays.
-- Input: SELECTs of the rows; the others' table; the quoted key columns.
SELECT d.*
FROM (
{{ rows }}
) AS d
WHERE NOT EXISTS (
    SELECT 1 FROM {{ others }} AS o
    WHERE {% for column in key %}{{ ' AND ' if not loop.first }}o.{{ column }} IS NOT DISTINCT FROM d.{{ column }}{% endfor %}
)
