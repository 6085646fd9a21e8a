-- Basket size: orders by the number of pieces in them, with the mean amount, per currency.
-- Plot: orders by pieces per currency
SELECT
    coalesce(list_sum(list_transform(items, lambda item: item.quantity)), 0)::BIGINT AS pieces,
    currency,
    count(*) AS orders,
    round(avg(amount), 2) AS mean_amount
FROM {{ table }}
WHERE action IS DISTINCT FROM 'refund'
GROUP BY ALL
ORDER BY pieces, currency
