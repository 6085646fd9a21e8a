-- Whether there are rows. Input: a SELECT of them. Output: a row, or nothing.
SELECT 1 FROM (
{{ rows }}
) LIMIT 1;
