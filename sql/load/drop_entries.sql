-- Settle open quarantine entries as dropped. Input: relation {{ places }} (partition, offset), all of one {{ generation }}.
UPDATE lake.loader.quarantine AS q
SET state = 'dropped', changed_by = {{ batch }}
FROM {{ places }} AS p
WHERE q.pipeline = {{ pipeline | text }} AND q.generation = {{ generation }} AND q.partition = p.partition AND q."offset" = p."offset" AND q.state = 'open';
