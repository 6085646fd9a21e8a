-- Where the rows of one id came from. Parameters: pipeline, and id (one text, its parts joined with |) or
-- id1, id2, … (one for each id column).
-- Output: generation, partition, offset, kafka_time (ISO, UTC), batch, seq, committed_at (ISO, UTC), worker, file, then the
-- contract's columns under `row`. `file` is where the row stands now: in a lake the Parquet file, or the name of
-- a table of the catalogue for rows that are inlined there; the ledger's for a DuckDB file.
SELECT
    b.generation, t._partition AS partition, t._offset AS "offset",
    strftime(t._kafka_time, '%Y-%m-%dT%H:%M:%S.%gZ') AS kafka_time, t._batch AS batch,
    b.seq, strftime(b.committed_at, '%Y-%m-%dT%H:%M:%S.%gZ') AS committed_at, b.worker,
    {% if in_lake %}t.filename{% else %}b.file{% endif %} AS file,
    struct_pack({% for column in columns %}{{ column }} := t.{{ column }}{{ "" if loop.last else ", " }}{% endfor %}) AS "row"
FROM lake.main.{{ table | ident }} AS t
LEFT JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.batch = t._batch
WHERE
    {%- if parts %}
    {%- for column in ids %}
    CAST(t.{{ column }} AS VARCHAR) = $id{{ loop.index }}{{ "" if loop.last else " AND" }}
    {%- endfor %}
    {%- else %}
    concat_ws('|', {% for column in ids %}t.{{ column }}{{ "" if loop.last else ", " }}{% endfor %}) = $id
    {%- endif %}
ORDER BY t._batch, t._partition, t._offset;
