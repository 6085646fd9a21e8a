-- Rows of a derived table that are to be sent and are not in the outbox. Parameters: pipeline, name. Output: id.
SELECT id
FROM (
    SELECT concat_ws('|', {% for column in key %}{{ ', ' if not loop.first }}coalesce(CAST({{ column }} AS VARCHAR), ''){% endfor %}) AS id
    FROM lake.main.{{ table | ident }}
)
ANTI JOIN (SELECT id FROM lake.loader.outbox WHERE pipeline = $pipeline AND name = $name) USING (id);
