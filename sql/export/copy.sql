-- Write an answer into a file, or into hive partitions below a folder. Inputs: the SELECT, the path, the format,
-- columns to partition by, and expressions with the names of columns that are made for it.
COPY (
SELECT *{% for expression, name in made %}, {{ expression }} AS {{ name | ident }}{% endfor %}
FROM ({{ select }})
) TO {{ path | text }} (FORMAT {{ format }}
{%- if format == "parquet" %}, COMPRESSION zstd{% elif format == "csv" %}, HEADER true{% endif %}
{%- if partitions %}, PARTITION_BY ({% for name in partitions %}{{ name | ident }}{% if not loop.last %}, {% endif %}{% endfor %}), OVERWRITE_OR_IGNORE true{% endif %});
