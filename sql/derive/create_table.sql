-- A derived table, or an empty one in its place: the columns of its SELECT, then the batch that wrote the row last.
CREATE OR REPLACE TABLE lake.main.{{ table | ident }} (
    {%- for name, type in columns %}
    {{ name | ident }} {{ type }},
    {%- endfor %}
    _batch BIGINT
);
