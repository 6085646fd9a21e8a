-- Which of the suspects are in the target already: the exact look-up.
-- Input: {{ suspects }}. Parameter {{ batches }}: where the set of ids says they are; none: the whole history.
-- Output: table {{ hits }} with the id columns.
CREATE OR REPLACE TABLE {{ hits }} AS
SELECT DISTINCT {{ ids | join(', ') }}
FROM lake.main.{{ table | ident }} AS t
SEMI JOIN {{ suspects }} AS s USING ({{ ids | join(', ') }})
{%- if batches is not none %}
WHERE {% if batches %}t._batch IN ({{ batches | join(', ') }}){% else %}false{% endif %}
{%- endif %};
