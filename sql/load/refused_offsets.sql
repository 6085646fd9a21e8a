-- The offsets of the records that go to quarantine. Input: {{ staging }}, {{ verdicts }}.
SELECT _offset FROM {{ staging }} WHERE _reasons IS NOT NULL AND NOT _skip
UNION ALL
SELECT _offset FROM {{ verdicts }} WHERE verdict = 'conflict';
