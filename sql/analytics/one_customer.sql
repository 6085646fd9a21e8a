-- One customer (--param user_id=101): every order, with what was spent so far in its currency.
-- Plot: spent_so_far by time per currency
SELECT
    strftime(timestamp, '%Y-%m-%d %H:%M:%S') AS time,
    order_id,
    action,
    amount,
    currency,
    sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END)
        OVER (PARTITION BY currency ORDER BY timestamp, order_id ROWS UNBOUNDED PRECEDING) AS spent_so_far
FROM {{ table }}
WHERE user_id = CAST($user_id AS BIGINT)
ORDER BY timestamp, order_id
