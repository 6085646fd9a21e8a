-- Load delay: seconds from the Kafka timestamp to the commit, as percentiles per hour of commit.
-- Plot: p50_s, p95_s, p99_s by hour
SELECT
    strftime(time_bucket(INTERVAL 1 hour, b.committed_at), '%Y-%m-%d %H:00') AS hour,
    count(*) AS records,
    round(quantile_cont(epoch(b.committed_at) - epoch(t._kafka_time), 0.5), 3) AS p50_s,
    round(quantile_cont(epoch(b.committed_at) - epoch(t._kafka_time), 0.95), 3) AS p95_s,
    round(quantile_cont(epoch(b.committed_at) - epoch(t._kafka_time), 0.99), 3) AS p99_s,
    round(max(epoch(b.committed_at) - epoch(t._kafka_time)), 3) AS max_s
FROM {{ table }} AS t
JOIN loader.batches AS b ON b.batch = t._batch
GROUP BY ALL
ORDER BY hour DESC
