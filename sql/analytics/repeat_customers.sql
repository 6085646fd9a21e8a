-- Repeat customers: how many customers bought once, twice, three to five times, or more often.
-- Plot: customers by purchases
WITH customers AS (
    SELECT user_id, count(*) AS purchases
    FROM {{ table }}
    WHERE user_id IS NOT NULL AND action IS DISTINCT FROM 'refund'
    GROUP BY user_id
)
SELECT
    CASE WHEN purchases = 1 THEN '1' WHEN purchases = 2 THEN '2' WHEN purchases <= 5 THEN '3-5' ELSE '6+' END AS purchases,
    count(*) AS customers,
    round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM customers
GROUP BY ALL
ORDER BY purchases
