-- Revenue per day and currency: purchases less refunds, orders, customers, and the mean order.
-- Plot: revenue by day per currency
SELECT
    strftime(timestamp, '%Y-%m-%d') AS day,
    currency,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS revenue,
    count(*) FILTER (WHERE action IS DISTINCT FROM 'refund') AS purchases,
    count(*) FILTER (WHERE action = 'refund') AS refunds,
    count(DISTINCT user_id) AS customers,
    round(avg(amount) FILTER (WHERE action IS DISTINCT FROM 'refund'), 2) AS mean_order
FROM {{ table }}
GROUP BY ALL
ORDER BY day DESC, revenue DESC
