-- What is to be sent of a derived table, in the order of commits. Parameters: pipeline, name. Output: seq, id, payload.
SELECT o.seq, o.id, o.payload
FROM lake.loader.outbox AS o
JOIN lake.loader.derived AS d ON d.pipeline = o.pipeline AND d.name = o.name
WHERE o.pipeline = ? AND o.name = ? AND o.seq > d.sent
ORDER BY o.seq, o.id;
