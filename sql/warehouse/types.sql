-- How DuckDB itself writes the types of the target table, to compare them with what is there.
-- Output: column_name, column_type, in order (DESCRIBE of an empty selection).
DESCRIBE SELECT
    {%- for name, type in columns %}
    CAST(NULL AS {{ type }}) AS {{ name }},
    {%- endfor %}
    CAST(NULL AS INTEGER) AS _partition,
    CAST(NULL AS BIGINT) AS _offset,
    CAST(NULL AS TIMESTAMPTZ) AS _kafka_time,
    CAST(NULL AS BIGINT) AS _batch;
