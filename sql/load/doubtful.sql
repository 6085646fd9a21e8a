-- The records that the last statement did not accept. Input: {{ staging }}.
-- Output: partition, offset.
SELECT _partition AS partition, _offset AS "offset" FROM {{ staging }} WHERE _reasons IS NOT NULL AND NOT _skip;
