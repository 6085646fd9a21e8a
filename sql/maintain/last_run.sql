-- How long ago upkeep of this warehouse last ended well, by any pipeline's run. Output: seconds, or NULL.
SELECT epoch(now()) - epoch(max(ended_at)) FROM lake.loader.runs WHERE job = 'maintain' AND outcome = 'done';
