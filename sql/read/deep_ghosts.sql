-- What stands in the warehouse for a span, but is not in the topic.
-- Input: {{ staging }}. Parameters: pipeline, generation, partition, begin, end. Output: partition, offset, problem.
WITH places AS (
    SELECT _offset AS "offset", 'is in the table, but not in the topic' AS problem
    FROM lake.main.{{ table | ident }} AS t
    LEFT JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.batch = t._batch
    WHERE _partition = $partition AND coalesce(b.generation, $generation) = $generation
    UNION ALL
    SELECT "offset", 'is in quarantine, but not in the topic'
    FROM lake.loader.quarantine WHERE pipeline = $pipeline AND generation = $generation AND partition = $partition
    UNION ALL
    SELECT "offset", 'is among the duplicates, but not in the topic'
    FROM lake.loader.duplicates WHERE pipeline = $pipeline AND generation = $generation AND partition = $partition
)
SELECT $partition AS partition, "offset", problem
FROM places
WHERE "offset" >= $begin AND "offset" < $end AND "offset" NOT IN (SELECT _offset FROM {{ staging }})
ORDER BY "offset";
