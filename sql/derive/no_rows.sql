-- The columns that a derive file sees, without rows. Input: columns (quoted name and type each).
SELECT
    {%- for name, type in columns %}
    CAST(NULL AS {{ type }}) AS {{ name }},
    {%- endfor %}
    CAST(NULL AS INTEGER) AS _partition, CAST(NULL AS BIGINT) AS _offset,
    CAST(NULL AS TIMESTAMPTZ) AS _kafka_time, CAST(NULL AS BIGINT) AS _batch
WHERE false
