-- Give refused records of a staged chunk their reasons: every rule that each of them breaks.
-- Why they were refused stands in _reasons (parse.sql): the numbers of flags, as ' 3 7 ', or a word where the
-- value is no record at all. Only flags that were raised somewhere in the batch are in this statement, with
-- their columns; and what is dear stands in a CASE that only records with this flag reach (an AND would not do:
-- DuckDB evaluates its sides in any order).
-- Input: relation {{ chunk }} as in parse.sql; those of its records are explained that {{ staging }} refuses.
-- Output: _reasons of {{ staging }} becomes JSON text: a list of column, rule, value, message.
UPDATE {{ staging }} AS refused SET _reasons = told.reasons FROM (
WITH "$records" AS NOT MATERIALIZED (
    SELECT
        c.partition AS "$partition", c."offset" AS "$offset", make_timestamptz(epoch_us(c.kafka_time)) AS "$time",
        c.key AS "$key", c.headers AS "$headers", c.value AS "$value", c.text AS "$text",
        CASE WHEN starts_with(s._reasons, ' ') THEN s._reasons END AS "$flags"
        {%- for name, typed in seen.items() %},
        s.{{ name }} AS {{ typed }}
        {%- endfor %}
    FROM {{ chunk }} AS c
    JOIN {{ staging }} AS s ON s._partition = c.partition AND s._offset = c."offset"
    WHERE s._reasons IS NOT NULL
),
"$parsed" AS NOT MATERIALIZED (
    SELECT *
        {%- if record %},
        CASE WHEN "$flags" IS NULL AND json_valid("$text") THEN json_type("$text") END AS "$kind"
        {%- endif %}
        {%- if unknown %},
        CASE WHEN "$flags" IS NOT NULL THEN {{ unknown }} END AS "$unknown"
        {%- endif %}
        {%- for structure in structures %},
        CASE WHEN "$flags" IS NOT NULL THEN json_transform("$text", {{ structure | text }}) END AS "$json{{ loop.index0 }}"
        {%- endfor %}
    FROM "$records"
),
-- what stands in the record for each column, and for a text JSON's type, for a nested value what is wrong inside
"$leaves" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.source }} AS {{ column.leaf }}
        {%- endfor %}
        {%- if odd %},
        CASE WHEN {{ odd }} THEN json_type("$text", {{ text_paths }}) END AS "$types"
        {%- endif %}
        {%- for name, wrong in wrongs %},
        {{ wrong }} AS {{ name }}
        {%- endfor %}
    FROM "$parsed"
),
"$rules" AS NOT MATERIALIZED (
    SELECT *
        {%- if record %},
        CASE WHEN "$flags" IS NULL THEN {{ record }} END AS "$record"
        {%- endif %}
        {%- for reason in reasons %},
        CASE WHEN {{ reason.flag }} THEN CASE WHEN {{ reason.condition }} THEN {{ reason.rule }} END END AS {{ reason.named }}
        {%- endfor %}
    FROM "$leaves"
),
"$values" AS NOT MATERIALIZED (
    SELECT *
        {%- if record %},
        CASE WHEN "$record" IS NOT NULL THEN {{ record_value }} END AS "$shown"
        {%- endif %}
        {%- for reason in reasons if reason.value %},
        CASE WHEN {{ reason.named }} IS NOT NULL THEN {{ reason.value }} END AS {{ reason.shown }}
        {%- endfor %}
    FROM "$rules"
)
SELECT "$partition", "$offset", '[' || concat_ws(','
    {%- if record %},
    CASE WHEN "$record" IS NOT NULL THEN CAST(to_json({
        'column': CAST(NULL AS VARCHAR), 'rule': "$record".rule, 'value': "$shown", 'message': "$record".says
    }) AS VARCHAR) END
    {%- endif %}
    {%- for reason in reasons %},
    CASE WHEN {{ reason.named }} IS NOT NULL THEN CAST(to_json({
        'column': {{ reason.column | text }}, 'rule': {{ reason.named }}, 'value': {{ reason.shown }},
        'message': {{ reason.message }}
    }) AS VARCHAR) END
    {%- endfor %}
    {%- if unknown_reasons %},
    CASE WHEN len("$unknown") > 0 THEN {{ unknown_reasons }} END
    {%- endif %}) || ']' AS reasons
FROM "$values"
) AS told
WHERE refused._partition = told."$partition" AND refused._offset = told."$offset";
