-- Dashboard roll-up: orders, refunds, revenue (less refunds) and customers by minute and currency.
-- key = ["minute", "currency"], keep = "latest": when a row comes, late or not, its minute is computed anew from all
-- of its rows, so that customers are counted exactly.
SELECT
    date_trunc('minute', s.timestamp) AS minute,
    s.currency,
    count(*) FILTER (WHERE s.action IS DISTINCT FROM 'refund') AS orders,
    count(*) FILTER (WHERE s.action = 'refund') AS refunds,
    CAST(sum(CASE WHEN s.action = 'refund' THEN -s.amount ELSE s.amount END) AS DECIMAL(38, 2)) AS revenue,
    count(DISTINCT s.user_id) AS customers
FROM so_far AS s
SEMI JOIN (SELECT DISTINCT date_trunc('minute', timestamp) AS minute, currency FROM new) AS touched
    ON touched.minute = date_trunc('minute', s.timestamp) AND touched.currency IS NOT DISTINCT FROM s.currency
GROUP BY ALL
