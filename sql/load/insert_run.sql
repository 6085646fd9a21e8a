-- One row of the run history.
-- Parameters: pipeline, job, started_by, worker, started_at, ended_at (ISO, UTC), outcome, exit_code, counts (JSON), error.
INSERT INTO lake.loader.runs VALUES ($pipeline, $job, $started_by, $worker, CAST($started_at AS TIMESTAMPTZ),
    CAST($ended_at AS TIMESTAMPTZ), $outcome, $exit_code, $counts, $error);
