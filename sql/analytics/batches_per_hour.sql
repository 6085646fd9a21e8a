-- Batches per hour of commit: how many, how large, and how far behind the events they were.
-- Plot: records by hour per kind
SELECT
    strftime(time_bucket(INTERVAL 1 hour, committed_at), '%Y-%m-%d %H:00') AS hour,
    kind,
    count(*) AS batches,
    sum(consumed)::BIGINT AS records,
    round(avg(consumed), 1) AS mean_records,
    round(quantile_cont(epoch(committed_at) - epoch(max_event_time), 0.5), 1) AS median_behind_s
FROM loader.batches
WHERE pipeline = {{ pipeline | text }}
GROUP BY ALL
ORDER BY hour DESC, kind
