-- Remove the spans that were summed, and what was voided of them; accepted losses stay.
-- Parameters: pipeline, seq (of the change).
DELETE FROM lake.loader.spans
WHERE pipeline = $pipeline AND batch IN (
    SELECT batch FROM lake.loader.batches WHERE pipeline = $pipeline AND seq <= $seq AND kind = 'load'
);
