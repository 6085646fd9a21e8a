-- Where each record of a span that was read again ended, and whether with the right content.
-- What another contract has made of a record is not judged: the content of its row, the id of a duplicate, and whether
-- a tombstone, which leaves no trace where it is skipped, may be in no place.
-- A row or duplicate that a retry made of an edited record is not what was sent: its content is not compared; nor is
-- that of a retried one whose entry retention has removed. What it removed is in no place, before the last of it.
-- Input: {{ staging }} (the records parsed anew), relation {{ chunk }} (as they came), the
-- digest {{ contract }} of the contract that parsed them.
-- Parameters: pipeline, generation, partition, begin, end.
-- Output: place, problem (NULL when all is well), records, and partition and offset of the first.
WITH loaded AS (
    SELECT t.*, b.contract = {{ contract | text }} AS is_ours, b.kind = 'retry' AS is_retried
    FROM lake.main.{{ table | ident }} AS t
    LEFT JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.batch = t._batch
    WHERE t._partition = $partition AND t._offset >= $begin AND t._offset < $end
        AND coalesce(b.generation, $generation) = $generation
),
refused AS (
    SELECT * FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND generation = $generation AND partition = $partition
        AND "offset" >= $begin AND "offset" < $end
),
repeated AS (
    SELECT d.*, b.contract = {{ contract | text }} AS is_ours, b.kind = 'retry' AS is_retried
    FROM lake.loader.duplicates AS d
    LEFT JOIN lake.loader.batches AS b ON b.pipeline = d.pipeline AND b.batch = d.batch
    WHERE d.pipeline = $pipeline AND d.generation = $generation AND d.partition = $partition
        AND d."offset" >= $begin AND d."offset" < $end
),
-- where another contract has skipped records; of what retention has folded nobody knows which one it was
skipping AS (
    SELECT s.begin_offset, s.end_offset
    FROM lake.loader.spans AS s
    JOIN lake.loader.batches AS b ON b.pipeline = s.pipeline AND b.batch = s.batch
    WHERE s.pipeline = $pipeline AND s.generation = $generation AND s.partition = $partition
        AND s.voided_by IS NULL AND s.skipped > 0 AND b.contract <> {{ contract | text }}
    UNION ALL
    SELECT begin_offset, end_offset FROM lake.loader.folded
    WHERE pipeline = $pipeline AND generation = $generation AND partition = $partition AND skipped > 0
),
removed AS (
    SELECT max(end_offset) AS floor
    FROM lake.loader.removed WHERE pipeline = $pipeline AND generation = $generation AND partition = $partition
),
-- one row per record and place
found AS (
    SELECT s._partition AS partition, s._offset AS "offset",
        (t._offset IS NOT NULL)::INTEGER + (d."offset" IS NOT NULL)::INTEGER
            + coalesce(
                q.state IN ('open', 'dropped', 'skipped'), s._skip AND NOT coalesce(t.is_retried, d.is_retried, false)
            )::INTEGER AS places,
        CASE
            WHEN t._offset IS NOT NULL THEN 'loaded'
            WHEN d."offset" IS NOT NULL THEN 'duplicates'
            WHEN q.state IN ('open', 'dropped') THEN 'quarantined'
            WHEN coalesce(q.state = 'skipped', s._skip OR c.value IS NULL AND s._offset < k.end_offset) THEN 'skipped'
            WHEN s._offset < (SELECT floor FROM removed) THEN 'removed by retention'
            ELSE 'nowhere'
        END AS place,
        CASE
            WHEN q."offset" IS NOT NULL AND (q.value IS DISTINCT FROM c.value OR q.key IS DISTINCT FROM c.key)
                THEN 'is in quarantine with other bytes'
            WHEN t._offset IS NOT NULL AND t._kafka_time IS DISTINCT FROM s._kafka_time
                THEN 'was loaded with another Kafka time'
            WHEN coalesce(t.is_retried, d.is_retried) AND q."offset" IS NULL THEN NULL
            WHEN t._offset IS NOT NULL AND q.edited IS NULL AND t.is_ours AND s._reasons IS NOT NULL
                THEN 'was loaded, but the contract refuses it'
            WHEN t._offset IS NOT NULL AND q.edited IS NULL AND t.is_ours THEN nullif(concat_ws(', '
                {%- for column in columns %},
                CASE WHEN t.{{ column }} IS DISTINCT FROM s.{{ column }} THEN {{ column | text }} END
                {%- endfor %}), '')
            WHEN d.is_ours AND q.edited IS NULL AND d.id IS DISTINCT FROM {{ id_text }}
                AND s._reasons IS NULL THEN 'is a duplicate with another id'
        END AS wrong
    FROM {{ staging }} AS s
    JOIN {{ chunk }} AS c ON c.partition = s._partition AND c."offset" = s._offset
    LEFT JOIN loaded AS t ON t._offset = s._offset
    LEFT JOIN refused AS q ON q."offset" = s._offset
    LEFT JOIN repeated AS d ON d."offset" = s._offset
    ASOF LEFT JOIN skipping AS k ON k.begin_offset <= s._offset
),
judged AS (
    SELECT *, CASE
        WHEN places = 0 AND place = 'nowhere' THEN 'is in no place'
        WHEN places > 1 THEN 'is in ' || places || ' places'
        WHEN place = 'loaded' AND starts_with(wrong, '"') THEN 'was loaded with another value of ' || wrong
        ELSE wrong
    END AS problem
    FROM found
)
SELECT place, problem, count(*) AS records, min(partition) AS partition, min("offset") AS "offset"
FROM judged
GROUP BY place, problem
ORDER BY "offset";
