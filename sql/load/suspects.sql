-- The ids that may have been there before: known to the set of ids, or more than once in the batch.
-- Input: {{ staging }}, relation `doubtful` (row of the staging table; present: whether the set knows it).
-- Output: table {{ suspects }} (the id columns, repeated, present).
CREATE OR REPLACE TABLE {{ suspects }} AS
SELECT {{ ids | join(', ') }}, count(*) > 1 AS "$repeated", bool_or(present) AS "$present"
FROM {{ staging }} AS s
JOIN doubtful ON s.rowid = doubtful."row"
GROUP BY {{ ids | join(', ') }};
