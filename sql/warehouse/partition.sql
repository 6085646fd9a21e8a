-- Let new files of the target table be parted by units of a time, or by nothing.
-- Input: keys (DuckLake's transformations, largest first; none), column.
ALTER TABLE lake.main.{{ table | ident }}
{%- if keys %} SET PARTITIONED BY ({% for key in keys %}{{ ", " if not loop.first }}{{ key }}({{ column | ident }}){% endfor %})
{%- else %} RESET PARTITIONED BY
{%- endif %};
