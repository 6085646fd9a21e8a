-- Refund rate: refunds per day and currency as a share of orders and of revenue, in percent.
-- Plot: percent_of_orders by day per currency
SELECT
    strftime(timestamp, '%Y-%m-%d') AS day,
    currency,
    count(*) FILTER (WHERE action = 'refund') AS refunds,
    round(100.0 * count(*) FILTER (WHERE action = 'refund') / count(*), 2) AS percent_of_orders,
    round(100.0 * coalesce(sum(amount) FILTER (WHERE action = 'refund'), 0)
        / nullif(sum(amount) FILTER (WHERE action IS DISTINCT FROM 'refund'), 0), 2) AS percent_of_revenue
FROM {{ table }}
GROUP BY ALL
ORDER BY day DESC, currency
