-- What is left of the spans that were cut. Input: relation `cuts` (batch, and the columns of a span).
INSERT INTO lake.loader.spans
SELECT {{ pipeline | text }}, {{ generation }}, batch, partition, begin_offset, end_offset,
    consumed, loaded, duplicates, quarantined, skipped, holes, NULL, {{ rewind }}
FROM cuts;
