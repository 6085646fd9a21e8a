-- The first record of a sample that is skipped. Input: {{ staging }}. Output: partition, offset.
SELECT _partition AS partition, _offset AS "offset"
FROM {{ staging }}
WHERE _skip
ORDER BY _partition, _offset
LIMIT 1;
