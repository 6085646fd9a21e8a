-- Parse, type and check the records of one chunk against the contract, in one pass and without ever failing
-- because of what a record holds: a value is exact, or the record is refused with all rules that it breaks.
-- Purpose: every later step (duplicates, rows, quarantine, ledger) reads its output only.
-- Input: relation {{ chunk }} (partition, "offset", kafka_time, key, value, text, headers); `text` is the value as
--   valid UTF-8 with long real numbers marked (loader/contract/digits.py), NULL where the value is none.
-- Output: table {{ staging }}: the contract's columns in its order, then _partition INTEGER, _offset BIGINT,
--   _kafka_time TIMESTAMPTZ, _reasons VARCHAR, _skip BOOLEAN (a tombstone to be skipped). _reasons is NULL for a
--   good record; for a refused one the numbers of the flags that were raised, as ' 3 7 ', or 'record' if the value
--   is no record at all. explain.sql replaces them by the reasons.
-- With `more` the records are added to {{ staging }}: those that the quick look left in doubt (parse_quick.sql).
--   Then the slow way is there only for the columns that were in doubt in one of them.
-- Names with $ are ours. Each stage refers to the one before it, so that nothing is computed twice;
-- what is dear stands in a CASE that only odd records reach (DuckDB evaluates a branch on its rows only).
{% if more %}INSERT INTO {{ staging }}{% else %}CREATE OR REPLACE TABLE {{ staging }} AS{% endif %}
WITH "$records" AS NOT MATERIALIZED (
    SELECT
        partition AS "$partition", "offset" AS "$offset", make_timestamptz(epoch_us(kafka_time)) AS "$time",
        key AS "$key", headers AS "$headers", value AS "$value", text AS "$text",
        contains(text, '\u0000') AS "$nul",
        {%- if settled %}
        true AS "$object"
        {%- else %}
        CASE
            WHEN octet_length(value) > {{ message_bytes }} THEN false
            WHEN NOT CASE WHEN json_valid(text) THEN starts_with(text, '{') OR json_type(text) = 'OBJECT' ELSE false END THEN false
            WHEN strlen(text) > 2000 THEN NOT {{ deep }}
            ELSE true
        END AS "$object"
        {%- endif %}
    FROM {{ chunk }}
),
"$parsed" AS NOT MATERIALIZED (
    SELECT *
        {%- if unknown %},
        CASE WHEN "$object" THEN {{ unknown }} END AS "$unknown"
        {%- endif %}
        {%- for structure in structures %},
        CASE WHEN "$object" THEN json_transform("$text", {{ structure | text }}) END AS "$json{{ loop.index0 }}"
        {%- endfor %}
    FROM "$records"
),
-- the leaves: what stands in the record for each column, untyped
"$leaves" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.source }} AS {{ column.leaf }}
        {%- endfor %}
    FROM "$parsed"
),
-- plain casts, right for nearly all; and JSON's types, asked only where a text may have been something else
"$casts" AS NOT MATERIALIZED (
    SELECT *,
        CASE WHEN {{ odd }} THEN json_type("$text", {{ text_paths }}) END AS "$types"
        {%- for column in columns %},
        {{ column.cast }} AS {{ column.casted }}
        {%- endfor %}
    FROM "$leaves"
),
"$sure" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns if column.sure %},
        {{ column.sure }} AS {{ column.is_sure }}
        {%- endfor %}
    FROM "$casts"
),
-- the values: exact or NULL
"$values" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.value }} AS {{ column.typed }}
        {%- endfor %}
    FROM "$sure"
),
-- under their own names for the contract's checks, and for them alone: elsewhere a column's name could hide ours
"$named" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.typed }} AS {{ column.name }}
        {%- endfor %}
    FROM "$values"
),
"$checks" AS NOT MATERIALIZED (
    SELECT COLUMNS('^[$]')
        {%- for check in checks %},
        {{ check.check }} AS {{ check.checked }}
        {%- endfor %}
    FROM "$named"
)
,
"$checked" AS NOT MATERIALIZED (
    SELECT *
        {%- for flag in flags %},
        {{ flag.condition }} AS {{ flag.name }}
        {%- endfor %}
    FROM "$checks"
)
SELECT
    {%- for column in columns %}
    {{ column.typed }} AS {{ column.name }},
    {%- endfor %}
    "$partition" AS _partition,
    "$offset" AS _offset,
    "$time" AS _kafka_time,
    CASE
        WHEN "$object" AND NOT (false{% for flag in flags %} OR {{ flag.name }}{% endfor %}) THEN NULL
        WHEN "$value" IS NULL AND {{ skip }} THEN NULL
        WHEN "$object" THEN concat(' '{% for flag in flags %}, CASE WHEN {{ flag.name }} THEN '{{ flag.number }} ' END{% endfor %})
        ELSE 'record'
    END AS _reasons,
    "$value" IS NULL AND {{ skip }} AS _skip
FROM "$checked";
