-- Which quarantine entries a person means: a condition for the other statements about them.
-- Parameters, each NULL for any: pipeline (never NULL), state, reason (a label such as `amount: type`, or a
-- rule), column, since and until (of Kafka's time; until is exclusive), partition, id, batch (that refused it,
-- or came to it last), places (a list of texts such as 2:1841,
-- of the topic in force, or 2:1841#0 of another generation).
pipeline = $pipeline
    AND ($state IS NULL OR state = $state)
    AND ($partition IS NULL OR partition = $partition)
    AND ($id IS NULL OR id = $id)
    AND ($batch IS NULL OR batch = $batch OR changed_by = $batch)
    AND ($since IS NULL OR kafka_time >= CAST($since AS TIMESTAMPTZ))
    AND ($until IS NULL OR kafka_time < CAST($until AS TIMESTAMPTZ))
    AND ($places IS NULL
        OR list_contains(CAST($places AS VARCHAR[]), partition || ':' || "offset" || '#' || generation)
        OR (list_contains(CAST($places AS VARCHAR[]), partition || ':' || "offset")
            AND generation = (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline)))
    AND (($reason IS NULL AND $column IS NULL) OR len(list_filter(
        from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]'),
        lambda r: ($column IS NULL OR r.column = $column)
            AND ($reason IS NULL OR lower($reason) IN (r.rule, lower(concat_ws(': ', nullif(r.column, ''), r.rule))))
    )) > 0)
