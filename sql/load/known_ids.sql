-- Which ids of the batch are in the target already: the exact look-up against the whole history.
-- Input: {{ staging }} (parsed records). Output: table {{ hits }} with the id columns.
CREATE OR REPLACE TABLE {{ hits }} AS
SELECT DISTINCT {{ ids | join(', ') }}
FROM lake.main.{{ table | ident }} AS t
SEMI JOIN (SELECT {{ ids | join(', ') }} FROM {{ staging }} WHERE _reasons IS NULL AND NOT _skip) AS s
USING ({{ ids | join(', ') }});
