-- The ledger's rows of the batch's partitions. Input: relation `ledger`.
INSERT INTO lake.loader.spans
SELECT {{ pipeline | text }}, {{ generation }}, {{ batch }}, partition, begin_offset, end_offset,
    consumed, loaded, duplicates, quarantined, skipped, holes, NULL, NULL
FROM ledger;
