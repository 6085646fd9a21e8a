-- Twin or conflict, for every record whose id was there before it: in the target, or earlier in the
-- batch (by partition, then offset). Same content: twin. Other content: conflict. Content means the
-- columns that come from the value, compared as typed values.
-- Input: {{ staging }}, {{ hits }} (ids in the target), {{ repeated }} (ids twice in the batch).
-- Output: table {{ verdicts }} (_partition, _offset, verdict, first_partition, first_offset, first_batch).
CREATE OR REPLACE TABLE {{ verdicts }} AS
WITH suspects AS (
    SELECT {{ (ids + content) | join(', ') }}, _partition, _offset
    FROM {{ staging }}
    SEMI JOIN (FROM {{ hits }} UNION FROM {{ repeated }}) USING ({{ ids | join(', ') }})
    WHERE _reasons IS NULL AND NOT _skip
),
firsts AS (
    SELECT {{ (ids + content) | join(', ') }}, _partition, _offset, _batch
    FROM lake.main.{{ table | ident }}
    SEMI JOIN {{ hits }} USING ({{ ids | join(', ') }})
    UNION ALL
    SELECT {{ (ids + content) | join(', ') }}, _partition, _offset, {{ batch }}
    FROM suspects
    ANTI JOIN {{ hits }} USING ({{ ids | join(', ') }})
    QUALIFY row_number() OVER (PARTITION BY {{ ids | join(', ') }} ORDER BY _partition, _offset) = 1
)
SELECT
    s._partition,
    s._offset,
    CASE WHEN {% if not content %}true{% endif %}
        {%- for column in content %}{{ ' AND ' if not loop.first }}s.{{ column }} IS NOT DISTINCT FROM f.{{ column }}{% endfor %}
        THEN 'twin' ELSE 'conflict' END AS verdict,
    f._partition AS first_partition,
    f._offset AS first_offset,
    f._batch AS first_batch
FROM suspects AS s
JOIN firsts AS f ON {% for id in ids %}{{ ' AND ' if not loop.first }}s.{{ id }} = f.{{ id }}{% endfor %}
WHERE (f._batch, f._partition, f._offset) IS DISTINCT FROM ({{ batch }}, s._partition, s._offset);
