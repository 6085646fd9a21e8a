-- The first offsets of new partitions. Input: relation `starts` (partition, begin_offset).
INSERT INTO lake.loader.offsets
SELECT {{ pipeline | text }}, {{ generation }}, partition, begin_offset, begin_offset, -1, NULL FROM starts;
