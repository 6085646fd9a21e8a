-- The ids of the target, as hashes, with the batch that each came with: all of them, or those of the batches
-- that were committed after the change `since`. Parameter {{ since }}: the head's number, or none.
-- Output: hash, batch (NULL for a row that the loader did not write).
SELECT hash({{ ids | join(', ') }}) AS "hash", "$batch" AS batch
FROM (
    SELECT {{ stored[:ids | length] | join(', ') }}, t._batch AS "$batch"
    FROM lake.main.{{ table | ident }} AS t
    {%- if since is not none %}
    WHERE t._batch IN (SELECT batch FROM lake.loader.batches WHERE pipeline = {{ pipeline | text }} AND seq > {{ since }})
    {%- endif %}
);
