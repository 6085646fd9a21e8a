-- Rows of a derived table that are to be sent and are not in the outbox. Input: the expression derive/id.
-- Parameters: pipeline, name. Output: id.
SELECT id
FROM (
    SELECT {{ id }} AS id
    FROM lake.main.{{ table | ident }} AS r
)
ANTI JOIN (SELECT id FROM lake.loader.outbox WHERE pipeline = $pipeline AND name = $name) USING (id);
