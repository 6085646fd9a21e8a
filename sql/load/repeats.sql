-- The twins of the batch, and the conflicts whose first record is kept, in the shape of loader.duplicates. Input: {{ verdicts }}.
SELECT
    {{ pipeline | text }} AS pipeline, {{ generation }}::INTEGER AS generation, {{ batch }}::BIGINT AS batch,
    _partition AS partition, _offset AS "offset", id, first_partition, first_offset, first_batch,
    verdict = 'kept_first' AS differs
FROM {{ verdicts }}
WHERE verdict IN ('twin', 'kept_first')
