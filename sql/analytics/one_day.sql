-- One day (--param day=2026-03-03), hour by hour and currency, in UTC: revenue, orders, customers.
-- Plot: revenue by hour per currency
SELECT
    strftime(time_bucket(INTERVAL 1 hour, timestamp), '%H:00') AS hour,
    currency,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS revenue,
    count(*) FILTER (WHERE action IS DISTINCT FROM 'refund') AS purchases,
    count(*) FILTER (WHERE action = 'refund') AS refunds,
    count(DISTINCT user_id) AS customers
FROM {{ table }}
WHERE timestamp >= CAST($day AS DATE) AND timestamp < CAST($day AS DATE) + INTERVAL 1 day
GROUP BY ALL
ORDER BY hour, currency
