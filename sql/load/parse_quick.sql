-- The quick look at a batch: stage what is surely right; parse.sql decides about the rest, exactly.
-- `trusting` saves the separate look at whether the text is JSON. Where it is not, a vector of 2,048 records is
-- then parsed one by one, five times as slowly: for batches in which that is rare.
-- Input: relation {{ chunk }}, as in parse.sql. Output: table {{ staging }} as in parse.sql, in which _reasons is
--   NULL for an accepted record. A record whose values are all settled, but break checks, is refused with the
--   numbers of their flags, as ' 3 7 '. What surely is no JSON object is refused: 'json' if it begins and ends as
--   one does (what is cut off does not), else 'record'. The rest is in doubt: '? 0 4 ' names the columns whose
--   conditions do not hold, '?' says nothing. No condition may ever be too lax (contract/quick.py).
CREATE OR REPLACE TABLE {{ staging }} AS
WITH "$records" AS NOT MATERIALIZED (
    SELECT
        partition AS "$partition", "offset" AS "$offset", make_timestamptz(epoch_us(kafka_time)) AS "$time",
        text AS "$text", contains(text, '\u0000') AS "$nul", {{ "value IS NULL" if skip == "true" else "false" }} AS "$skip",
        CASE
            WHEN NOT starts_with(text, '{') THEN false
            WHEN NOT ends_with(text, '}') AND NOT ends_with(rtrim(text, E' \t\r\n'), '}') THEN false
            WHEN strlen(text) > {{ message_bytes }} THEN false
            WHEN strlen(text) > 2000 AND
                2 * strlen(text) - strlen(replace(text, '[', '')) - strlen(replace(text, '{', '')) > 1000 THEN false
            ELSE {{ "true" if trusting else "json_valid(text)" }}
        END AS "$object"
    FROM {{ chunk }}
),
"$parsed" AS NOT MATERIALIZED (
    SELECT *,
        {%- if trusting %}
        TRY(CASE WHEN "$object" THEN json_transform("$text", {{ structure | text }}) END) AS "$json0"
        {%- else %}
        CASE WHEN "$object" THEN json_transform("$text", {{ structure | text }}) END AS "$json0"
        {%- endif %}
    FROM "$records"
),
"$leaves" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.source }} AS {{ column.leaf }}
        {%- endfor %}
    FROM "$parsed"
),
"$casts" AS NOT MATERIALIZED (
    SELECT *
        {%- for name, cast in casts.items() %},
        {{ cast }} AS {{ name }}
        {%- endfor %}
    FROM "$leaves"
),
-- under their own names for the contract's checks, and for them alone
"$named" AS NOT MATERIALIZED (
    SELECT *
        {%- for column in columns %},
        {{ column.casted }} AS {{ column.name }}
        {%- endfor %}
    FROM "$casts"
),
"$checks" AS NOT MATERIALIZED (
    SELECT COLUMNS('^[$]')
        {%- for check, _ in checks %},
        {{ check.check }} AS {{ check.checked }}
        {%- endfor %}
        {%- for name, (_, condition) in sure.items() %},
        {{ condition }} AS {{ name }}
        {%- endfor %}
    FROM "$named"
)
SELECT
    {%- for column in columns %}
    {{ column.casted }} AS {{ column.name }},
    {%- endfor %}
    "$partition" AS _partition,
    "$offset" AS _offset,
    "$time" AS _kafka_time,
    CASE
        WHEN coalesce("$object" AND "$json0" IS NOT NULL
            {%- for name in sure %} AND {{ name }}{% endfor %}
            {%- for check, _ in checks %} AND {{ check.checked }} IS TRUE{% endfor %}, false) OR "$skip" THEN NULL
        {%- if checks %}
        WHEN "$json0" IS NOT NULL AND coalesce(true{% for name in sure %} AND {{ name }}{% endfor %}, false)
            THEN concat(' '{% for check, number in checks %}, CASE WHEN {{ check.checked }} IS TRUE THEN '' ELSE '{{ number }} ' END{% endfor %})
        {%- endif %}
        WHEN "$json0" IS NOT NULL
            THEN concat('? '{% for name, (number, _) in sure.items() %}, CASE WHEN {{ name }} THEN '' ELSE '{{ number }} ' END{% endfor %})
        WHEN NOT coalesce(starts_with(ltrim("$text", E' \t\r\n'), '{'), false) THEN 'record'
        WHEN json_valid("$text") THEN '?'
        ELSE CASE WHEN "$object" THEN 'json' ELSE 'record' END
    END AS _reasons,
    "$skip" AS _skip
FROM "$checks";
