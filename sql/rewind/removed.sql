-- What stands from the places on. Input: relation `places` (partition, place) of the topic in force; `former` as in
-- derive/first_undone.sql.
-- Output: partition, rows, quarantined, duplicates; a row for each place.
SELECT
    p.partition,
    (SELECT count(*) FROM lake.main.{{ table | ident }} AS t
        WHERE t._partition = p.partition AND t._offset >= p.place
            {%- if former %}
            AND coalesce(t._batch, 0) NOT IN ({{ former }}){% endif %}) AS rows,
    (SELECT count(*) FROM lake.loader.quarantine AS q
        WHERE q.pipeline = {{ pipeline | text }} AND q.generation = {{ generation }}
            AND q.partition = p.partition AND q."offset" >= p.place) AS quarantined,
    (SELECT count(*) FROM lake.loader.duplicates AS d
        WHERE d.pipeline = {{ pipeline | text }} AND d.generation = {{ generation }}
            AND d.partition = p.partition AND d."offset" >= p.place) AS duplicates
FROM places AS p
ORDER BY p.partition;
