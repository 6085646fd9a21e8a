-- Alerts about users, with the rule, the evidence and the orders.
-- key = "alert_id", keep = "first": an alert is never changed or taken back; a late order may add one.
--
-- velocity    5 orders within a minute; one alert per user and minute in which such a series begins
-- currencies  orders in two currencies within 10 minutes; one per user and 10 minutes in which such a series begins
-- refunds     3 refunds within a day; one per user and day in which such a series begins
-- amount      more than 10 times the mean of the user's orders of the 30 days before, of which there are at least 5;
--             one per order
--
-- The first three can only become true by more orders. The last one judges by the orders that had come with its own
-- batch or before: a later batch adds alerts when what it brings makes an order stand out.
WITH users AS (
    SELECT user_id, min(timestamp) AS since, max(timestamp) AS until
    FROM new
    WHERE user_id IS NOT NULL
    GROUP BY user_id
),
history AS MATERIALIZED (  -- what the rules may need: a month around the new orders, of their users only
    SELECT s.order_id, s.user_id, s.timestamp, s.amount, s.currency, s.action, u.since, u.until
    FROM so_far AS s
    JOIN users AS u
        ON u.user_id = s.user_id AND s.timestamp BETWEEN u.since - INTERVAL 30 DAY AND u.until + INTERVAL 30 DAY
),
recent AS MATERIALIZED (
    SELECT * FROM history WHERE timestamp BETWEEN since - INTERVAL 1 DAY AND until + INTERVAL 1 DAY
),
bursts AS (
    SELECT user_id, timestamp AS begun, date_trunc('minute', timestamp) AS period
    FROM recent
    QUALIFY count(*) OVER (PARTITION BY user_id ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 1 MINUTE FOLLOWING) >= 5
),
velocity AS (
    SELECT
        'velocity' AS rule, b.user_id, b.begun AS alert_time, concat_ws('|', b.user_id, epoch_us(b.period)) AS about,
        count(*) || ' orders within a minute' AS evidence, list(r.order_id ORDER BY r.timestamp, r.order_id) AS orders
    FROM (  -- the series lies in its minute and the next: so the join has equal sides, and few rows to compare
        SELECT user_id, period, min(begun) AS begun, unnest([period, period + INTERVAL 1 MINUTE]) AS minute
        FROM bursts
        GROUP BY user_id, period
    ) AS b
    JOIN recent AS r
        ON r.user_id = b.user_id AND date_trunc('minute', r.timestamp) = b.minute
            AND r.timestamp BETWEEN b.begun AND b.begun + INTERVAL 1 MINUTE
    GROUP BY b.user_id, b.begun, b.period
),
mixed AS (
    SELECT user_id, timestamp AS begun, time_bucket(INTERVAL 10 MINUTE, timestamp) AS period
    FROM recent
    WINDOW ten AS (PARTITION BY user_id ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING)
    QUALIFY min(currency) OVER ten <> max(currency) OVER ten
),
currencies AS (
    SELECT
        'currencies' AS rule, b.user_id, b.begun AS alert_time, concat_ws('|', b.user_id, epoch_us(b.period)) AS about,
        string_agg(DISTINCT r.currency, ' and ' ORDER BY r.currency) || ' within 10 minutes' AS evidence,
        list(r.order_id ORDER BY r.timestamp, r.order_id) AS orders
    FROM (
        SELECT user_id, period, min(begun) AS begun, unnest([period, period + INTERVAL 10 MINUTE]) AS minutes
        FROM mixed
        GROUP BY user_id, period
    ) AS b
    JOIN recent AS r
        ON r.user_id = b.user_id AND time_bucket(INTERVAL 10 MINUTE, r.timestamp) = b.minutes
            AND r.timestamp BETWEEN b.begun AND b.begun + INTERVAL 10 MINUTE
    GROUP BY b.user_id, b.begun, b.period
),
refunded AS (
    SELECT user_id, timestamp AS begun, date_trunc('day', timestamp) AS period
    FROM recent
    WHERE action = 'refund'
    QUALIFY count(*) OVER (PARTITION BY user_id ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 1 DAY FOLLOWING) >= 3
),
refunds AS (
    SELECT
        'refunds' AS rule, b.user_id, b.begun AS alert_time, concat_ws('|', b.user_id, epoch_us(b.period)) AS about,
        count(*) || ' refunds within a day' AS evidence, list(r.order_id ORDER BY r.timestamp, r.order_id) AS orders
    FROM (SELECT user_id, period, min(begun) AS begun FROM refunded GROUP BY ALL) AS b
    JOIN recent AS r
        ON r.user_id = b.user_id AND r.action = 'refund' AND r.timestamp BETWEEN b.begun AND b.begun + INTERVAL 1 DAY
    GROUP BY b.user_id, b.begun, b.period
),
judged AS (
    SELECT
        *, sum(amount) OVER before AS spent, count(*) OVER before AS orders_before
    FROM history
    WHERE action IS DISTINCT FROM 'refund'
    WINDOW before AS (
        PARTITION BY user_id ORDER BY timestamp
        RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING
    )
),
amount AS (
    SELECT
        'amount' AS rule, user_id, timestamp AS alert_time, order_id AS about,
        amount || ' is more than 10 times the mean of ' || orders_before || ' orders worth ' || spent AS evidence,
        [order_id] AS orders
    FROM judged
    WHERE timestamp BETWEEN since AND until + INTERVAL 30 DAY AND orders_before >= 5 AND amount * orders_before > 10 * spent
),
alerts AS (
    FROM velocity UNION ALL FROM currencies UNION ALL FROM refunds UNION ALL FROM amount
)
SELECT md5(rule || '|' || about) AS alert_id, rule, user_id, alert_time, evidence, to_json(orders) AS order_ids
FROM alerts
