-- Another pipeline that has a table of this name; not one that has dropped it. Parameters: table (twice), pipeline. Output: pipeline.
SELECT pipeline
FROM (
    SELECT pipeline, name FROM lake.loader.derived WHERE digest <> ''
    UNION ALL
    SELECT pipeline, target FROM lake.loader.topics
)
WHERE lower(name) = lower(?) AND pipeline <> ?;
