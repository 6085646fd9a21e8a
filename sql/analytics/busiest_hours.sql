-- Busiest hours: orders by hour of the day and day of the week (1 is Monday), in UTC.
-- Plot: orders by hour per weekday
SELECT
    isodow(timestamp) AS weekday,
    hour(timestamp) AS hour,
    count(*) AS orders,
    round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM {{ table }}
GROUP BY ALL
ORDER BY orders DESC, weekday, hour
LIMIT 24
