-- The batches of other topics than the one in force: a rewind leaves their rows alone. Input: {{ generation }}, in force.
-- Output: batch.
SELECT batch FROM lake.loader.batches WHERE pipeline = {{ pipeline | text }} AND generation <> {{ generation }}
