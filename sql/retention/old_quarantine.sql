-- Quarantine entries that were closed long ago, oldest first: as many retries and drops as hold about `most`.
-- Parameters: pipeline, before (a batch id), most (NULL for all).
-- Output: records, upto (the newest of these retries and drops), oldest; NULL where there are none.
SELECT coalesce(sum(records), 0)::BIGINT AS records, max(batch) AS upto, min(batch) AS oldest
FROM (
    SELECT batch, records, sum(records) OVER (ORDER BY batch) - records AS earlier
    FROM (
        SELECT changed_by AS batch, count(*) AS records FROM lake.loader.quarantine
        WHERE pipeline = $pipeline AND state <> 'open' AND changed_by < $before
        GROUP BY changed_by
    )
)
WHERE $most IS NULL OR earlier < $most;
