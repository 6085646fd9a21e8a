-- How many verdicts there are, and how many records have one. Input: {{ verdicts }}.
SELECT (SELECT count(*) FROM {{ verdicts }}), (SELECT count(*) FROM (SELECT DISTINCT _partition, _offset FROM {{ verdicts }}));
