-- Duplicates of old batches, oldest first: as many batches as hold about `most`. The age of a batch is that of its id.
-- Parameters: pipeline, before (a batch id), most (NULL for all).
-- Output: records, upto (the newest of these batches), oldest; NULL where there are none.
SELECT coalesce(sum(records), 0)::BIGINT AS records, max(batch) AS upto, min(batch) AS oldest
FROM (
    SELECT batch, records, sum(records) OVER (ORDER BY batch) - records AS earlier
    FROM (
        SELECT batch, count(*) AS records FROM lake.loader.duplicates
        WHERE pipeline = $pipeline AND batch < $before
        GROUP BY batch
    )
)
WHERE $most IS NULL OR earlier < $most;
