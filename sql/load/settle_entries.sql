-- Note in the quarantine entries of a retry what became of them; one that is refused again stays open,
-- with its new reasons. Input: {{ outcomes }}. The count must be the number of its rows.
UPDATE lake.loader.quarantine AS q
SET state = o.state, id = coalesce(o.id, q.id), reasons = coalesce(o.reasons, q.reasons), changed_by = o.batch
FROM {{ outcomes }} AS o
WHERE q.pipeline = {{ pipeline | text }} AND q.generation = {{ generation }} AND q.partition = o._partition AND q."offset" = o._offset AND q.state = 'open';
