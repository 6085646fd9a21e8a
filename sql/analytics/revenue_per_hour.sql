-- Revenue per hour and currency: purchases less refunds, and how many orders of each.
-- Plot: revenue by hour per currency
SELECT
    strftime(time_bucket(INTERVAL 1 hour, timestamp), '%Y-%m-%d %H:00') AS hour,
    currency,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS revenue,
    count(*) FILTER (WHERE action IS DISTINCT FROM 'refund') AS purchases,
    count(*) FILTER (WHERE action = 'refund') AS refunds
FROM {{ table }}
GROUP BY ALL
ORDER BY hour DESC, revenue DESC
