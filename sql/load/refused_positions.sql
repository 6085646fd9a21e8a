-- The positions of the records that go to quarantine. Input: {{ staging }}, {{ verdicts }}.
-- Output: partition, offset.
SELECT _partition AS partition, _offset AS "offset" FROM {{ staging }} WHERE _reasons IS NOT NULL AND NOT _skip
UNION ALL
SELECT _partition, _offset FROM {{ verdicts }} WHERE verdict = 'conflict';
