-- What retention has removed so far.
-- Output: offsets (whose spans are folded), quarantined, duplicates (records).
SELECT
    (SELECT coalesce(sum(end_offset - begin_offset), 0)::BIGINT FROM ledger.folded) AS offsets,
    coalesce(sum(records) FILTER (WHERE place = 'quarantined'), 0)::BIGINT AS quarantined,
    coalesce(sum(records) FILTER (WHERE place = 'duplicates'), 0)::BIGINT AS duplicates
FROM ledger.removed;
