-- Orders per minute and currency: the last 60 minutes that had any, by event time.
-- Plot: orders by minute per currency
WITH minutes AS (
    SELECT time_bucket(INTERVAL 1 minute, timestamp) AS minute, currency, count(*) AS orders,
        sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS revenue, count(DISTINCT user_id) AS customers
    FROM {{ table }}
    GROUP BY ALL
)
SELECT strftime(minute, '%Y-%m-%d %H:%M') AS minute, currency, orders, revenue, customers
FROM minutes
WHERE minute IN (SELECT DISTINCT minute FROM minutes ORDER BY minute DESC LIMIT 60)
ORDER BY minute DESC, currency
