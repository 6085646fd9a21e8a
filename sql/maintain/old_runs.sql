-- How many rows of the run history are older than wanted. Parameters: before. Output: count.
SELECT count(*) FROM lake.loader.runs WHERE ended_at < CAST($before AS TIMESTAMPTZ);
