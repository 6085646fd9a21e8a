-- Whether the pipeline has loaded rows already. Parameters: pipeline. Output: a row, or nothing.
SELECT 1 FROM lake.loader.batches WHERE pipeline = ? AND loaded > 0 LIMIT 1;
