-- Why records are not accepted so far: the marks that parse_quick.sql and parse.sql set. Input: {{ staging }}.
-- Output: mark, records.
SELECT _reasons AS mark, count(*) AS records FROM {{ staging }} WHERE _reasons IS NOT NULL AND NOT _skip GROUP BY ALL;
