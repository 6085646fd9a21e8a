-- Top customers: the 20 who spent most in one currency, less what was refunded.
-- Plot: spent by user_id per currency
SELECT
    user_id,
    currency,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END) AS spent,
    count(*) FILTER (WHERE action IS DISTINCT FROM 'refund') AS purchases,
    count(*) FILTER (WHERE action = 'refund') AS refunds,
    strftime(max(timestamp), '%Y-%m-%d %H:%M') AS last_order
FROM {{ table }}
WHERE user_id IS NOT NULL
GROUP BY user_id, currency
ORDER BY spent DESC, user_id
LIMIT 20
