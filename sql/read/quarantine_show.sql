-- One quarantine entry, whole, and the change that came to it last.
-- Parameters: pipeline, partition, offset, generation (NULL: the one in force).
-- Output: generation, partition, offset, kafka_time (ISO, UTC), id, state, batch, key, value, headers, reasons (JSON),
-- edited, edited_at (ISO, UTC), changed_by, changed_at (ISO, UTC), change (its kind), note.
SELECT
    q.generation, q.partition, q."offset", strftime(q.kafka_time, '%Y-%m-%dT%H:%M:%S.%gZ') AS kafka_time, q.id, q.state, q.batch, q.key,
    q.value, q.headers, q.reasons, q.edited, strftime(q.edited_at, '%Y-%m-%dT%H:%M:%SZ') AS edited_at, q.changed_by,
    strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS changed_at, b.kind AS change, b.note
FROM lake.loader.quarantine AS q
LEFT JOIN lake.loader.batches AS b ON b.pipeline = q.pipeline AND b.batch = q.changed_by
WHERE q.pipeline = $pipeline AND q.partition = $partition AND q."offset" = $offset
    AND q.generation = coalesce($generation, (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline));
