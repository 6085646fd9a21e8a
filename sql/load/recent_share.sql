-- The newest loads that together hold the last 1,000 consumed records, for the quarantine limit. What was undone,
-- and what a run with --accept-quarantine loaded, does not count. Of the refused records only the open ones do:
-- one that was mended counts as a good one, a dropped one not at all.
-- Parameters: pipeline. Output: consumed, quarantined, newest first.
WITH recent AS (
    SELECT batch, consumed, quarantined
    FROM (
        SELECT batch, consumed, quarantined, sum(consumed) OVER (ORDER BY batch DESC) - consumed AS newer
        FROM (
            SELECT s.batch, sum(s.consumed)::BIGINT AS consumed, sum(s.quarantined)::BIGINT AS quarantined
            FROM lake.loader.spans AS s
            ANTI JOIN (SELECT pipeline, batch FROM lake.loader.batches WHERE accepted) AS b USING (pipeline, batch)
            WHERE s.pipeline = $pipeline AND s.voided_by IS NULL
            GROUP BY s.batch
            HAVING sum(s.consumed) > 0
        )
    )
    WHERE newer < 1000
),
settled AS (
    SELECT q.batch, sum(q.records)::BIGINT AS records, coalesce(sum(q.records) FILTER (WHERE q.state = 'dropped'), 0)::BIGINT AS dropped
    FROM (
        SELECT batch, state, 1 AS records FROM lake.loader.quarantine WHERE pipeline = $pipeline AND state <> 'open'
        UNION ALL
        SELECT batch, state, records FROM lake.loader.removed WHERE pipeline = $pipeline AND place = 'quarantined'
    ) AS q
    SEMI JOIN (SELECT batch FROM recent WHERE quarantined > 0) AS r ON q.batch = r.batch
    GROUP BY q.batch
)
SELECT r.consumed - coalesce(s.dropped, 0) AS consumed, r.quarantined - coalesce(s.records, 0) AS quarantined
FROM recent AS r
LEFT JOIN settled AS s USING (batch)
ORDER BY r.batch DESC;
