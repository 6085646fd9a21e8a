-- Make room for rows whose keys are there already. Input: a SELECT of the rows, the quoted key columns.
DELETE FROM lake.{{ schema | ident }}.{{ table | ident }} AS t
USING (
{{ rows }}
) AS d
WHERE {% for column in key %}{{ ' AND ' if not loop.first }}t.{{ column }} IS NOT DISTINCT FROM d.{{ column }}{% endfor %};
