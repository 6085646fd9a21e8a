-- Which ids stand more than once in the batch. Input: {{ staging }}. Adds to table {{ hits }}'s
-- sister {{ repeated }} with the id columns.
CREATE OR REPLACE TABLE {{ repeated }} AS
SELECT {{ ids | join(', ') }}
FROM {{ staging }}
WHERE _reasons IS NULL AND NOT _skip
GROUP BY ALL
HAVING count(*) > 1;
