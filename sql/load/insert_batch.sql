-- The ledger's row of the batch. Parameters: file, note, looked_at, unknown_fields (JSON); NULL where there is none.
-- `accepted`: whether the run passes limits.quarantine. Input: relation `ledger` with the counts of each partition.
INSERT INTO lake.loader.batches
SELECT {{ pipeline | text }}, {{ batch }}, {{ generation }}, {{ seq }}, {{ kind | text }}, now(), {{ worker | text }}, {{ contract | text }},
    coalesce(sum(consumed), 0), coalesce(sum(loaded), 0), coalesce(sum(duplicates), 0),
    coalesce(sum(quarantined), 0), coalesce(sum(skipped), 0), coalesce(sum(holes), 0),
    max(max_event_time), CAST(? AS VARCHAR), CAST(? AS VARCHAR), CAST(? AS BIGINT), CAST(? AS VARCHAR),
    {{ accepted | default(false) }}
FROM ledger;
