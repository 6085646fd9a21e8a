-- Rows of the target in the contract's columns, also those that the table gets with the next batch.
-- Input: columns (quoted name and type each), and which rows:
--   batch    those of one batch; 0: of all
--   ledger   a table (batch, seq): those of its batches; with `upto`, those of all but its batches after this seq
--   places   not those at or behind these places (partition and offset each), which are about to go
--   former   a SELECT of the batches whose rows stay even so, being of other topics; or ''
--   more     a SELECT of rows to add, or ''
SELECT {% for name, _ in columns %}{{ name }}, {% endfor %}_partition, _offset, _kafka_time, _batch
FROM (
    {{ no_rows }}
    UNION ALL BY NAME
    SELECT t.*
    FROM lake.main.{{ table | ident }} AS t
    WHERE true
    {%- if batch %} AND t._batch = {{ batch }}{% endif %}
    {%- if ledger and not upto %} AND t._batch IN (SELECT batch FROM {{ ledger }}){% endif %}
    {%- if ledger and upto %} AND coalesce(t._batch, 0) NOT IN (SELECT batch FROM {{ ledger }} WHERE seq > {{ upto }}){% endif %}
    {%- for partition, place in places %} AND NOT coalesce(t._partition = {{ partition }} AND t._offset >= {{ place }}{% if former %} AND coalesce(t._batch, 0) NOT IN ({{ former }}){% endif %}, false){% endfor %}
    {%- if more %}
    UNION ALL BY NAME
    {{ more }}
    {%- endif %}
)
