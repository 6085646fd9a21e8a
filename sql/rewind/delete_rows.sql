-- Undo rows of the target. Input: places (partition and offset each).
DELETE FROM lake.main.{{ table | ident }}
WHERE {% for partition, place in places %}{{ " OR " if not loop.first }}(_partition = {{ partition }} AND _offset >= {{ place }}){% endfor %};
