-- The fence: take the next number if nobody has since we looked. Parameters: seen. Count must be 1.
UPDATE lake.loader.head SET seq = seq + 1 WHERE seq = ?;
