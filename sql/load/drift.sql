-- Which fields of the records no column takes: how often each was seen in this chunk, and where first.
-- Input: relation {{ chunk }} (partition, "offset", text), a sample of the batch or all of it.
-- Output: one row: looked_at (records that are JSON objects), fields: JSON, the most frequent first, at most 20 of
--   {"field", "records", "partition", "offset"}; NULL without any.
WITH "$objects" AS (
    SELECT partition, "offset", text AS "$text"
    FROM {{ chunk }}
    WHERE CASE WHEN json_valid(text) THEN json_type(text) = 'OBJECT' ELSE false END
),
seen AS (
    SELECT partition, "offset", unnest(list_transform({{ unknown }}, lambda u: u.field)) AS field
    FROM "$objects"
),
fields AS (
    SELECT field, count(*) AS records, min({'partition': partition, 'offset': "offset"}) AS first
    FROM seen
    GROUP BY field
    ORDER BY records DESC, field
    LIMIT 20
)
SELECT
    (SELECT count(*) FROM "$objects") AS looked_at,
    (SELECT CAST(to_json(list({
        'field': left(field, 200), 'records': records, 'partition': first.partition, 'offset': first."offset"
    } ORDER BY records DESC, field)) AS VARCHAR) FROM fields) AS fields;
