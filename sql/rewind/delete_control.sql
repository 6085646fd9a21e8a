-- Undo quarantine entries or duplicates. Input: the table {{ control }}, places (partition and offset each) of the topic in force.
DELETE FROM lake.loader.{{ control }}
WHERE pipeline = {{ pipeline | text }} AND generation = {{ generation }}
    AND ({% for partition, place in places %}{{ " OR " if not loop.first }}(partition = {{ partition }} AND "offset" >= {{ place }}){% endfor %});
