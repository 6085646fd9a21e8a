-- Top products: the 20 SKUs with the highest revenue, each currency by itself.
-- Plot: revenue by sku per currency
SELECT item.sku, currency, sum(item.quantity) AS quantity, sum(item.quantity * item.price) AS revenue, count(*) AS orders
FROM (SELECT unnest(items) AS item, currency FROM {{ table }} WHERE action IS DISTINCT FROM 'refund')
GROUP BY ALL
ORDER BY revenue DESC, item.sku
LIMIT 20
