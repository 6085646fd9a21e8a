-- What is to be sent of new rows: those whose key was never in the outbox. Input: {{ rows }}, and the expression derive/id.
-- Output: the columns of loader.outbox; the payload is the row as JSON.
SELECT d.*
FROM (
    SELECT
        {{ pipeline | text }} AS pipeline, {{ table | text }} AS name,
        {{ id }} AS id,
        r._batch AS batch, {{ seq }}::BIGINT AS seq,
        CAST(to_json(struct_pack({% for column in columns %}{{ ', ' if not loop.first }}{{ column }} := r.{{ column }}{% endfor %})) AS VARCHAR) AS payload
    FROM {{ rows }} AS r
) AS d
ANTI JOIN (
    SELECT id FROM lake.loader.outbox WHERE pipeline = {{ pipeline | text }} AND name = {{ table | text }}
) AS known USING (id)
