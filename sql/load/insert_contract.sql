-- Note that the table has another shape from this change on. Parameters: pipeline, seq, worker, contract, shape.
INSERT INTO lake.loader.contracts BY NAME
SELECT ? AS pipeline, ? AS seq, now() AS changed_at, ? AS worker, ? AS contract, ? AS shape;
