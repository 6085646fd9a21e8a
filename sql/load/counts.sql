-- Where the records of each partition end, and the newest event time of the loaded rows.
-- Input: {{ staging }}, {{ verdicts }}.
-- Output: partition, consumed, loaded, duplicates, quarantined, skipped, max_event_time.
SELECT
    s._partition AS partition,
    count(*) AS consumed,
    count(*) FILTER (WHERE s._reasons IS NULL AND NOT s._skip AND v.verdict IS NULL) AS loaded,
    count(*) FILTER (WHERE v.verdict IN ('twin', 'kept_first')) AS duplicates,
    count(*) FILTER (WHERE NOT s._skip AND (s._reasons IS NOT NULL OR v.verdict = 'conflict')) AS quarantined,
    count(*) FILTER (WHERE s._skip) AS skipped,
    {% if event_time %}max(CASE WHEN s._reasons IS NULL AND NOT s._skip AND v.verdict IS NULL THEN CAST(s.{{ event_time }} AS TIMESTAMPTZ) END)
    {%- else %}CAST(NULL AS TIMESTAMPTZ){% endif %} AS max_event_time
FROM {{ staging }} AS s
LEFT JOIN {{ verdicts }} AS v USING (_partition, _offset)
GROUP BY s._partition
ORDER BY s._partition;
