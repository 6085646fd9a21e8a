-- The rows of one unit of the table's layout, or those of none of the given ones.
-- Input: rows (a SELECT), keys (functions of a time), column, units (values of the keys each), others (bool).
SELECT * FROM ({{ rows }})
WHERE {{ "NOT " if others }}coalesce(isfinite({{ column | ident }}) AND (
    {%- for unit in units %}{{ " OR " if not loop.first }}({% for key in keys %}{{ " AND " if not loop.first }}{{ key }}({{ column | ident }}) = {{ unit[loop.index0] }}{% endfor %}){% endfor -%}
), false)
