-- How many rows the file of a batch has that the new split would not load. The counts are equal, so
-- 0 means that the file still is right. Input: {{ staging }}, {{ verdicts }}.
SELECT count(*) FROM read_parquet({{ file | text }}) SEMI JOIN {{ verdicts }} USING (_partition, _offset);
