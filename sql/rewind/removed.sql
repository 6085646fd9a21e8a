-- What stands from the places on. Input: relation `places` (partition, place).
-- Output: partition, rows, quarantined, duplicates; a row for each place.
SELECT
    p.partition,
    (SELECT count(*) FROM lake.main.{{ table | ident }} AS t WHERE t._partition = p.partition AND t._offset >= p.place) AS rows,
    (SELECT count(*) FROM lake.loader.quarantine AS q
        WHERE q.pipeline = {{ pipeline | text }} AND q.partition = p.partition AND q."offset" >= p.place) AS quarantined,
    (SELECT count(*) FROM lake.loader.duplicates AS d
        WHERE d.pipeline = {{ pipeline | text }} AND d.partition = p.partition AND d."offset" >= p.place) AS duplicates
FROM places AS p
ORDER BY p.partition;
