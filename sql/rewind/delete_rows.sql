-- Undo rows of the target. Input: places (partition and offset each) of the topic in force; `former` as in
-- derive/first_undone.sql.
DELETE FROM lake.main.{{ table | ident }} AS t
WHERE ({% for partition, place in places %}{{ " OR " if not loop.first }}(t._partition = {{ partition }} AND t._offset >= {{ place }}){% endfor %}){% if former %} AND coalesce(t._batch, 0) NOT IN ({{ former }}){% endif %};
