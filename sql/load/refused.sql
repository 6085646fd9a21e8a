-- The records of the batch that go to quarantine, whole: broken rules and conflicts.
-- Input: {{ staging }}, {{ verdicts }}, relation {{ chunk }} (the records as they came).
-- Output: table {{ refused }} in the shape of loader.quarantine.
CREATE OR REPLACE TABLE {{ refused }} AS
WITH reasons AS (
    SELECT _partition, _offset, {{ id_text }} AS id, _reasons AS reasons
    FROM {{ staging }} AS s
    WHERE _reasons IS NOT NULL AND NOT _skip
    UNION ALL
    SELECT v._partition, v._offset, v.id,
        CAST(to_json([{
            'column': {{ id_names | text }},
            'rule': 'conflict',
            'value': left(v.id, 100),
            'message': {{ id_names | text }} || ': same id as ' || coalesce(
                {{ topic | text }} || '[' || v.first_partition || ']@' || v.first_offset
                {%- if generation %} || coalesce('#' || f.generation, ''){% endif %},
                'a row that the loader did not write') || ', other content'
        }]) AS VARCHAR)
    FROM {{ verdicts }} AS v
    {%- if generation %}
    LEFT JOIN lake.loader.batches AS f  -- the first one stands in a former topic
        ON f.pipeline = {{ pipeline | text }} AND f.batch = v.first_batch AND f.generation <> {{ generation }}
    {%- endif %}
    WHERE v.verdict = 'conflict'
)
SELECT
    {{ pipeline | text }} AS pipeline, {{ generation }}::INTEGER AS generation, {{ batch }}::BIGINT AS batch,
    c.partition, c."offset", c.kafka_time::TIMESTAMPTZ AS kafka_time, c.key, c.value,
    CAST(to_json(list_transform(c.headers, lambda h: {'key': h.key, 'value': to_base64(h.value)})) AS VARCHAR) AS headers,
    r.id, r.reasons, 'open' AS state, CAST(NULL AS BLOB) AS edited, CAST(NULL AS TIMESTAMPTZ) AS edited_at,
    CAST(NULL AS BIGINT) AS changed_by
FROM {{ chunk }} AS c
JOIN reasons AS r ON r._partition = c.partition AND r._offset = c."offset";
