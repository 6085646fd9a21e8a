-- Give an open quarantine entry another value for the next retry; NULL goes back to the original.
-- Parameters: value, partition, offset, generation. The count must be 1.
UPDATE lake.loader.quarantine
SET edited = $value::BLOB, edited_at = CASE WHEN $value::BLOB IS NOT NULL THEN now() END, changed_by = NULL
WHERE pipeline = {{ pipeline | text }} AND generation = $generation AND partition = $partition AND "offset" = $offset
    AND state = 'open';
