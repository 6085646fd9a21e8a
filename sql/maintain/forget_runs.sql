-- Remove old rows of the run history. Parameters: before.
DELETE FROM lake.loader.runs WHERE ended_at < CAST($before AS TIMESTAMPTZ);
