-- The records that are not accepted, or of these the ones with a mark like {{ pattern }}. Input: {{ staging }}.
-- Output: partition, offset.
SELECT _partition AS partition, _offset AS "offset" FROM {{ staging }} WHERE _reasons LIKE {{ pattern | text }} AND NOT _skip;
