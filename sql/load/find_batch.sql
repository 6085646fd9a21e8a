-- Whether a batch was committed, and with which number. Parameters: batch. Output: seq, or nothing.
SELECT seq FROM lake.loader.batches WHERE batch = ?;
