-- The derived tables of the pipeline but those that were dropped, and what of them waits to be sent. Parameters: pipeline.
-- Output: name, digest, queued (rows that ever were in the outbox), waiting.
SELECT
    d.name, any_value(d.digest) AS digest, count(o.id) AS queued, count(o.id) FILTER (WHERE o.seq > d.sent) AS waiting
FROM lake.loader.derived AS d
LEFT JOIN lake.loader.outbox AS o ON o.pipeline = d.pipeline AND o.name = d.name
WHERE d.pipeline = $pipeline AND d.digest <> ''
GROUP BY d.name
ORDER BY d.name;
