-- The batches in the order of their commits, from one on. Input: {{ ledger }}. Parameters: seq. Output: batch, seq.
SELECT batch, seq FROM {{ ledger }} WHERE seq >= ? ORDER BY seq;
