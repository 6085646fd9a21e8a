-- Compare and set all offsets of a batch in one statement. Input: relation `ledger` (partition,
-- begin_offset, end_offset, leader_epoch), the {{ generation }} of the topic that its records come from. The count must
-- be the number of its rows: one less means that another worker has committed these records, or none of them that
-- another topic is in force.
UPDATE lake.loader.offsets AS o
SET next_offset = l.end_offset, leader_epoch = l.leader_epoch, batch = {{ batch }}
FROM ledger AS l
WHERE o.pipeline = {{ pipeline | text }} AND o.generation = {{ generation }}
    AND o.generation = (SELECT max(generation) FROM lake.loader.offsets WHERE pipeline = {{ pipeline | text }})
    AND o.partition = l.partition AND o.next_offset = l.begin_offset;
