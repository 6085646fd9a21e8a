-- How far back each partition of the topic in force can be rewound: not behind what retention has removed.
-- Parameters: pipeline.
-- Output: partition, floor (an offset); no row where nothing was removed.
SELECT partition, max(end_offset) AS floor
FROM (
    SELECT generation, partition, end_offset FROM lake.loader.folded WHERE pipeline = $pipeline
    UNION ALL
    SELECT generation, partition, end_offset FROM lake.loader.removed WHERE pipeline = $pipeline
    UNION ALL
    SELECT s.generation, s.partition, s.end_offset
    FROM lake.loader.spans AS s
    JOIN lake.loader.batches AS b ON b.pipeline = s.pipeline AND b.batch = s.batch
    WHERE s.pipeline = $pipeline AND s.voided_by IS NULL
        AND b.seq <= (SELECT max(seq) FROM lake.loader.folded AS f WHERE f.pipeline = b.pipeline)
)
WHERE generation = (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline)
GROUP BY partition;
