-- The rows that the batch adds to the target, in its shape. Input: {{ staging }}, {{ verdicts }}.
SELECT {{ columns | join(', ') }}, _partition, _offset, _kafka_time, {{ batch }}::BIGINT AS _batch
FROM {{ staging }}
ANTI JOIN {{ verdicts }} USING (_partition, _offset)
WHERE _reasons IS NULL AND NOT _skip
