-- Void the spans that reach behind the places. Input: places (partition and offset each).
-- The count must be the number of spans that were found before.
UPDATE lake.loader.spans
SET voided_by = {{ batch }}
WHERE pipeline = {{ pipeline | text }} AND generation = {{ generation }} AND voided_by IS NULL
    AND ({% for partition, place in places %}{{ " OR " if not loop.first }}(partition = {{ partition }} AND end_offset > {{ place }}){% endfor %});
