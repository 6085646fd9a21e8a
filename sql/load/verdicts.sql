-- Twin or conflict, for every record whose id was there before it: in the target, or earlier in the
-- batch (by partition, then offset). Same content: twin. Other content: {{ conflict }} (conflict:
-- quarantined; kept_first: counted as a duplicate that differs). Content means the columns that come from
-- the value and that the stored row could hold, compared as typed values.
-- `late`: the table was changed since it was made; "$seq" is the head's number of the stored row's batch then,
-- 0 where the loader did not write the row.
-- `straight`: no id of the batch is there twice in it, so only stored rows are looked at, in one join.
-- Input: {{ staging }}{% if not straight %}, {{ hits }} (ids in the target), {{ suspects }} (with those twice in the batch){% endif %}.
-- Parameter {{ batches }}: as in known_ids.sql.
-- Output: table {{ verdicts }} (_partition, _offset, id, verdict, first_partition, first_offset, first_batch).
CREATE OR REPLACE TABLE {{ verdicts }} AS
WITH suspects AS (
    SELECT {{ (ids + content) | join(', ') }}, _partition, _offset
    FROM {{ staging }}
    {%- if not straight %}
    SEMI JOIN (FROM {{ hits }} UNION SELECT {{ ids | join(', ') }} FROM {{ suspects }} WHERE "$repeated") USING ({{ ids | join(', ') }})
    {%- endif %}
    WHERE _reasons IS NULL AND NOT _skip
),
firsts AS NOT MATERIALIZED (
    SELECT {{ stored | join(', ') }}, t._partition, t._offset, t._batch{% if late %}, coalesce(b."$seq", 0) AS "$seq"{% endif %}
    FROM lake.main.{{ table | ident }} AS t
    {%- if not straight %}
    SEMI JOIN {{ hits }} AS h USING ({{ ids | join(', ') }})
    {%- endif %}
    {%- if late %}
    LEFT JOIN (SELECT batch AS "$batch", seq AS "$seq" FROM lake.loader.batches WHERE pipeline = {{ pipeline | text }}) AS b
        ON b."$batch" = t._batch
    {%- endif %}
    {%- if batches is not none %}
    WHERE {% if batches %}t._batch IN ({{ batches | join(', ') }}){% else %}false{% endif %}
    {%- endif %}
    {%- if not straight %}
    UNION ALL
    SELECT {{ (ids + content) | join(', ') }}, _partition, _offset, {{ batch }}{% if late %}, 9223372036854775807{% endif %}
    FROM suspects
    ANTI JOIN {{ hits }} USING ({{ ids | join(', ') }})
    QUALIFY row_number() OVER (PARTITION BY {{ ids | join(', ') }} ORDER BY _partition, _offset) = 1
    {%- endif %}
)
SELECT
    s._partition,
    s._offset,
    {{ id_text }} AS id,
    CASE WHEN {{ same | join(' AND ') or 'true' }}
        THEN 'twin' ELSE {{ conflict | text }} END AS verdict,
    f._partition AS first_partition,
    f._offset AS first_offset,
    f._batch AS first_batch
FROM suspects AS s
JOIN firsts AS f ON {% for id in ids %}{{ ' AND ' if not loop.first }}s.{{ id }} = f.{{ id }}{% endfor %}
WHERE (f._batch, f._partition, f._offset) IS DISTINCT FROM ({{ batch }}, s._partition, s._offset);
