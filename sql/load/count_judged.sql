-- How many records have a verdict. Input: {{ verdicts }}.
SELECT count(*) FROM (SELECT DISTINCT _partition, _offset FROM {{ verdicts }});
