-- The first duplicate of a sample. Input: {{ verdicts }}. Output: partition, offset, id, first_partition, first_offset.
SELECT _partition AS partition, _offset AS "offset", id, first_partition, first_offset
FROM {{ verdicts }}
WHERE verdict IN ('twin', 'kept_first')
ORDER BY _partition, _offset
LIMIT 1;
