-- Check 4: no id stands twice in the target table. Output: id, times; no row when all is well.
SELECT concat_ws('|', {{ ids | join(', ') }}) AS id, count(*) AS times
FROM lake.main.{{ table | ident }}
GROUP BY {{ ids | join(', ') }}
HAVING count(*) > 1;
