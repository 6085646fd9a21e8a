-- Compare and set all offsets of a batch in one statement: spans with partition, begin, end and epoch, of the
-- {{ generation }} of the topic that was in force at the batch's head. The count must be the number of the spans: one less
-- means that another worker has committed these records.
UPDATE lake.loader.offsets AS o
SET next_offset = l.end_offset, leader_epoch = l.leader_epoch, batch = {{ batch }}
FROM (
    VALUES
    {%- for span in spans %}
    ({{ span.partition }}::INTEGER, {{ span.begin }}::BIGINT, {{ span.end }}::BIGINT, {{ span.epoch }}::INTEGER){{ "" if loop.last else "," }}
    {%- endfor %}
) AS l (partition, begin_offset, end_offset, leader_epoch)
WHERE o.pipeline = {{ pipeline | text }} AND o.generation = {{ generation }}
    AND o.partition = l.partition AND o.next_offset = l.begin_offset;
