-- Count the settled quarantine entries that are undone, before they go. Input: places (partition and offset each).
INSERT INTO lake.loader.undone
SELECT pipeline, {{ batch }}, changed_by, partition, state, count(*)
FROM lake.loader.quarantine
WHERE pipeline = {{ pipeline | text }} AND generation = {{ generation }} AND state <> 'open'
    AND ({% for partition, place in places %}{{ " OR " if not loop.first }}(partition = {{ partition }} AND "offset" >= {{ place }}){% endfor %})
GROUP BY ALL;
