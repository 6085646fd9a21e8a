-- Cohorts: customers by the week of their first purchase, and how many came back one, two and three weeks later.
-- Plot: customers, week_1, week_2, week_3 by week
WITH purchases AS (
    SELECT DISTINCT user_id, date_trunc('week', timestamp)::DATE AS week
    FROM {{ table }}
    WHERE user_id IS NOT NULL AND action IS DISTINCT FROM 'refund'
),
firsts AS (SELECT user_id, min(week) AS cohort FROM purchases GROUP BY user_id)
SELECT
    strftime(cohort, '%Y-%m-%d') AS week,
    count(DISTINCT user_id) AS customers,
    count(*) FILTER (WHERE date_diff('week', cohort, week) = 1) AS week_1,
    count(*) FILTER (WHERE date_diff('week', cohort, week) = 2) AS week_2,
    count(*) FILTER (WHERE date_diff('week', cohort, week) = 3) AS week_3
FROM purchases
JOIN firsts USING (user_id)
GROUP BY cohort
ORDER BY cohort
