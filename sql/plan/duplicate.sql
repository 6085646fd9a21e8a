-- The first duplicate of a sample. Input: {{ repeats }}. Output: partition, offset, id, first_partition, first_offset.
SELECT partition, "offset", id, first_partition, first_offset
FROM {{ repeats }}
ORDER BY partition, "offset"
LIMIT 1;
