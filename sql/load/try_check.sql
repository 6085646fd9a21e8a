-- Compile one condition of the contract alone, on no row, so that a mistake can be told with its address.
-- Input: condition (as the load evaluates it), expression (as it was written), columns (quoted name and SQL type each).
-- Output: no row; the type of `given` is that of the expression.
SELECT "$one", {{ condition }}, ({{ expression }}
) AS given
FROM (
    SELECT 1 AS "$one"
        {%- for name, type in columns %},
        CAST(NULL AS {{ type }}) AS {{ name }}
        {%- endfor %}
)
WHERE false;
