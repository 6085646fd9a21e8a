-- The twins of the batch, and the conflicts whose first record is kept, in the shape of loader.duplicates. Input: {{ staging }}, {{ verdicts }}.
CREATE OR REPLACE TABLE {{ repeats }} AS
SELECT
    {{ pipeline | text }} AS pipeline, {{ generation }}::INTEGER AS generation, {{ batch }}::BIGINT AS batch,
    s._partition AS partition, s._offset AS "offset",
    {{ id_text }} AS id, v.first_partition, v.first_offset, v.first_batch,
    v.verdict = 'kept_first' AS differs
FROM {{ staging }} AS s
JOIN {{ verdicts }} AS v USING (_partition, _offset)
WHERE v.verdict IN ('twin', 'kept_first');
