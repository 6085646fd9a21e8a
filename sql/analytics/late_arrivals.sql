-- Late arrivals: per day of the event, how many reached Kafka more than a minute, an hour or a day after it.
-- Plot: after_a_minute, after_an_hour, after_a_day by day
SELECT
    strftime(timestamp, '%Y-%m-%d') AS day,
    count(*) AS orders,
    count(*) FILTER (WHERE _kafka_time - timestamp > INTERVAL 1 minute) AS after_a_minute,
    count(*) FILTER (WHERE _kafka_time - timestamp > INTERVAL 1 hour) AS after_an_hour,
    count(*) FILTER (WHERE _kafka_time - timestamp > INTERVAL 1 day) AS after_a_day,
    round(max(epoch(_kafka_time) - epoch(timestamp)), 3) AS latest_s
FROM {{ table }}
GROUP BY ALL
ORDER BY day DESC
