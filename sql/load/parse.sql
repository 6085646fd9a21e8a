-- Parse, type and check the records of one chunk against the contract, in one pass and without ever failing
-- because of what a record holds: a value is exact, or the record is refused with all rules that it breaks.
-- Purpose: every later step (duplicates, rows, quarantine, ledger) reads its output only.
-- Input: relation {{ chunk }} (partition, "offset", kafka_time, key, value, text, headers); `text` is the value as
--   valid UTF-8 with long real numbers marked (loader/contract/digits.py), NULL where the value is none.
-- Output: table {{ staging }}: the contract's columns in its order, then _partition INTEGER, _offset BIGINT,
--   _kafka_time TIMESTAMPTZ, _reasons VARCHAR (NULL: good; '' : refused), _skip BOOLEAN (a tombstone to be skipped).
-- With `more` the records are added to {{ staging }}: those that the quick look left (parse_quick.sql).
-- With `explain`, run a second time if anything was refused: replaces the '' of {{ staging }} by the reasons,
--   JSON text: a list of column, rule, value, message.
-- Names with $ are ours. Each stage refers to the one before it, so that nothing is computed twice;
-- what is dear stands in a CASE that only odd records reach (DuckDB evaluates a branch on its rows only).
{% if explain %}UPDATE {{ staging }} AS refused SET _reasons = explained.reasons FROM ({% elif more %}INSERT INTO {{ staging }}{% else %}CREATE OR REPLACE TABLE {{ staging }} AS{% endif %}
WITH "$records" AS NOT MATERIALIZED (
    SELECT
        partition AS "$partition", "offset" AS "$offset", make_timestamptz(epoch_us(kafka_time)) AS "$time",
        key AS "$key", headers AS "$headers", value AS "$value", text AS "$text",
        contains(text, '\u0000') AS "$nul",
        CASE
            WHEN octet_length(value) > {{ message_bytes }} THEN false
            WHEN NOT CASE
                WHEN starts_with(text, '{') THEN json_valid(text)
                WHEN json_valid(text) THEN json_type(text) = 'OBJECT'
                ELSE false
            END THEN false
            WHEN strlen(text) > 2000 THEN NOT {{ deep }}
            ELSE true
        END AS "$object"
    FROM {{ chunk }}
    {%- if explain %}
    WHERE (partition, "offset") IN (SELECT (_partition, _offset) FROM {{ staging }} WHERE _reasons = '')
    {%- endif %}
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
{%- if explain %},
"$wrongs" AS NOT MATERIALIZED (
    SELECT *
        {%- for name, wrong in wrongs %},
        CASE WHEN "$object" THEN {{ wrong }} END AS {{ name }}
        {%- endfor %}
    FROM "$checks"
),
"$reasons" AS NOT MATERIALIZED (
    SELECT "$partition", "$offset", CASE
        WHEN NOT coalesce("$object", false) THEN [{
            'number': '', 'column': NULL, 'place': {{ record_sentence }}, 'rule': {{ record_rule }},
            'value': left("$text", {{ shown }} + 1)
        }]
        ELSE list_concat(list_filter([
            {%- for reason in reasons %}
            CASE WHEN {{ reason.condition }} THEN {
                'number': '{{ loop.index0 }} ', 'column': {{ reason.column | text }}, 'place': {{ reason.place | text }},
                'rule': {{ reason.rule }}, 'value': CAST({{ reason.value }} AS VARCHAR)
            } END{{ "" if loop.last else "," }}
            {%- endfor %}
        ], lambda r: r IS NOT NULL), {% if refuse_unknown %}list_transform("$unknown", lambda u: {
                'number': '', 'column': u.field, 'place': u.field, 'rule': 'unknown',
                'value': {{ unknown_value }}
            }){% else %}[]{% endif %}) END AS reasons
    FROM "$wrongs"
),
"$each" AS NOT MATERIALIZED (
    SELECT "$partition", "$offset", unnest(reasons, recursive := true), generate_subscripts(reasons, 1) AS nth
    FROM "$reasons"
),
"$told" AS NOT MATERIALIZED (
    SELECT "$partition", "$offset", nth, "column", rule, place,
        replace(CASE WHEN length(value) > {{ shown }} THEN left(value, {{ shown }}) || '…' ELSE value END, chr(0), '␀') AS value,
        CASE number || rule
            {%- for key, words in phrases.items() %}
            WHEN {{ key | text }} THEN {{ words | text }}
            {%- endfor %}
            ELSE rule
        END AS phrase
    FROM "$each"
)
SELECT "$partition", "$offset", CAST(to_json(list({
        'column': "column", 'rule': rule, 'value': value,
        'message': CASE WHEN "column" IS NULL THEN place ELSE place || ': ' || coalesce(value || ' ', '') || phrase END
    } ORDER BY nth)) AS VARCHAR) AS reasons
FROM "$told"
GROUP BY "$partition", "$offset"
) AS explained
WHERE refused._partition = explained."$partition" AND refused._offset = explained."$offset";
{%- else %},
"$checked" AS NOT MATERIALIZED (
    SELECT *, {{ broken }} AS "$broken"
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
        WHEN "$object" AND NOT "$broken" THEN NULL
        WHEN "$value" IS NULL AND {{ skip }} THEN NULL
        ELSE ''
    END AS _reasons,
    "$value" IS NULL AND {{ skip }} AS _skip
FROM "$checked";
{%- endif %}
