-- Undo quarantine entries or duplicates. Input: the table, places (partition and offset each).
DELETE FROM lake.loader.{{ table }}
WHERE pipeline = {{ pipeline | text }}
    AND ({% for partition, place in places %}{{ " OR " if not loop.first }}(partition = {{ partition }} AND "offset" >= {{ place }}){% endfor %});
