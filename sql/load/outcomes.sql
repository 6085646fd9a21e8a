-- What becomes of each quarantine entry of a retry. Input: {{ staging }}, {{ verdicts }}, {{ refused }}.
-- Output: table {{ outcomes }} (_partition, _offset, state, id, reasons: NULL unless refused again, batch).
CREATE OR REPLACE TABLE {{ outcomes }} AS
SELECT
    s._partition, s._offset,
    CASE
        WHEN s._skip THEN 'skipped' WHEN r.reasons IS NOT NULL THEN 'open'
        WHEN v.verdict IN ('twin', 'kept_first') THEN 'duplicate' ELSE 'loaded'
    END AS state,
    {{ id_text }} AS id,
    r.reasons,
    {{ batch }}::BIGINT AS batch
FROM {{ staging }} AS s
LEFT JOIN {{ verdicts }} AS v ON v._partition = s._partition AND v._offset = s._offset
LEFT JOIN {{ refused }} AS r ON r.partition = s._partition AND r."offset" = s._offset;
