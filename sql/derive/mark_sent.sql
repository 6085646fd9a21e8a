-- Note that all of the outbox up to this number of the head has been delivered. Parameters: seq, pipeline, name, seq.
UPDATE lake.loader.derived SET sent = greatest(sent, ?) WHERE pipeline = ? AND name = ? AND sent < ?;
