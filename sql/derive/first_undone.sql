-- The first batch that loses a row to a rewind; 1, before all, where the loader did not write the row.
-- Input: places (partition and offset each) of the topic in force; `former`, a SELECT of the batches of other topics, or
-- ''. Output: seq, NULL where no row goes.
SELECT min(coalesce(b.seq, 1))
FROM lake.main.{{ table | ident }} AS t
LEFT JOIN lake.loader.batches AS b ON b.batch = t._batch
WHERE ({% for partition, place in places %}{{ " OR " if not loop.first }}(t._partition = {{ partition }} AND t._offset >= {{ place }}){% endfor %}){% if former %} AND coalesce(t._batch, 0) NOT IN ({{ former }}){% endif %};
