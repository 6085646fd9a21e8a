-- The id of a row in the outbox, as an expression: the values of its key as text, joined with |. Different keys have
-- different ids. In a value \ and | become \\ and \|, and NULL is \N. A key of one value is that value; in it | becomes
-- ||, and NULL is |. Input: the quoted key columns, of the relation r.
{% if key | length > 1 -%}
concat_ws('|', {% for column in key %}{{ ', ' if not loop.first }}coalesce(replace(replace(CAST(r.{{ column }} AS VARCHAR), '\', '\\'), '|', '\|'), '\N'){% endfor %})
{%- else -%}
coalesce(replace(CAST(r.{{ key[0] }} AS VARCHAR), '|', '||'), '|')
{%- endif %}
