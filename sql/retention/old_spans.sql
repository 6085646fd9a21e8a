-- Up to which change the spans can be folded: all batches up to there are old (by their ids), the newest load is not
-- among them, and no rewind behind it has voided or cut a span before it. Where all of the first `most` are such,
-- it is the first that is not.
-- Parameters: pipeline, before (a batch id), most (batches at once; NULL for all).
-- Output: records (batches), upto (the head's number of the newest), oldest (id); 0 and NULL where there is nothing to fold.
WITH ledger AS (
    SELECT batch, seq, kind FROM lake.loader.batches
    WHERE pipeline = $pipeline AND kind IN ('load', 'accept', 'rewind')
        AND seq > (SELECT coalesce(max(seq), 0) FROM lake.loader.folded WHERE pipeline = $pipeline)
),
undone AS (
    SELECT min(b.seq) AS earlier, r.seq AS later
    FROM (SELECT batch, unnest([voided_by, cut_by]) AS rewind FROM lake.loader.spans WHERE pipeline = $pipeline) AS s
    JOIN ledger AS r ON r.batch = s.rewind
    JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.batch = s.batch
    GROUP BY r.seq
),
old AS (
    SELECT seq, batch, row_number() OVER (ORDER BY seq) AS number FROM ledger
    WHERE seq < coalesce((SELECT min(seq) FROM ledger WHERE batch >= $before), 9223372036854775807)
        AND seq < (SELECT max(seq) FROM ledger WHERE kind = 'load')
),
place AS (
    SELECT coalesce(max(seq) FILTER ($most IS NULL OR number <= $most), min(seq)) AS seq
    FROM old
    WHERE NOT EXISTS (SELECT 1 FROM undone WHERE earlier <= old.seq AND old.seq < later)
        AND seq >= (
            SELECT min(l.seq) FROM lake.loader.spans AS s JOIN ledger AS l USING (batch)
            WHERE s.pipeline = $pipeline AND s.voided_by IS NULL AND l.kind = 'load'
        )
)
SELECT count(old.seq) AS records, any_value(place.seq) AS upto, min(old.batch) AS oldest
FROM place
LEFT JOIN old ON old.seq <= place.seq;
