-- The newest runs of the pipeline. Parameters: pipeline, job (or NULL for all), most.
-- Output: job, started_by, worker, started_at, ended_at (ISO, UTC), seconds, outcome, exit_code, counts (JSON), error.
SELECT
    job, started_by, worker, strftime(started_at, '%Y-%m-%dT%H:%M:%SZ') AS started_at,
    strftime(ended_at, '%Y-%m-%dT%H:%M:%SZ') AS ended_at, round(epoch(ended_at) - epoch(started_at), 3) AS seconds,
    outcome, exit_code, counts, error
FROM lake.loader.runs
WHERE pipeline = $pipeline AND ($job IS NULL OR job = $job)
ORDER BY runs.started_at DESC, runs.ended_at DESC
LIMIT $most;
