-- Set the offsets back. Input: relation `places` (partition, place, committed).
-- The count must be the number of its rows: the offsets are the ones that were found before.
UPDATE lake.loader.offsets AS o
SET next_offset = p.place, leader_epoch = -1, batch = {{ batch }}
FROM places AS p
WHERE o.pipeline = {{ pipeline | text }} AND o.generation = {{ generation }} AND o.partition = p.partition AND o.next_offset = p.committed;
