-- How many rows the files of a batch have that the new split would not load. The counts are equal, so
-- 0 means that the files still are right. Input: {{ staging }}, {{ verdicts }}.
SELECT count(*) FROM read_parquet([{% for file in files %}{{ ', ' if not loop.first }}{{ file | text }}{% endfor %}], hive_partitioning = false) SEMI JOIN {{ verdicts }} USING (_partition, _offset);
