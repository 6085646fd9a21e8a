-- Open quarantine entries as records that can be staged: the edited value in place of the original.
-- Input: relation {{ places }} (partition, offset), all of one {{ generation }}.
-- Output: the columns of a chunk, in the order of their positions.
SELECT
    q.partition, q."offset", q.kafka_time, q.key, coalesce(q.edited, q.value) AS value,
    TRY(decode(coalesce(q.edited, q.value))) AS text,
    list_transform(from_json(q.headers, '[{"key":"VARCHAR","value":"VARCHAR"}]'),
        lambda h: {'key': h.key, 'value': from_base64(h.value)}) AS headers
FROM lake.loader.quarantine AS q
SEMI JOIN {{ places }} AS p ON q.partition = p.partition AND q."offset" = p."offset"
WHERE q.pipeline = {{ pipeline | text }} AND q.generation = {{ generation }} AND q.state = 'open'
ORDER BY q.partition, q."offset";
