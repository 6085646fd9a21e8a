-- Compile one condition of the contract alone, on no row, so that a mistake can be told with its address.
-- Input: columns (quoted name and SQL type each). Output: nothing.
SELECT "$one", {{ condition }}
FROM (
    SELECT 1 AS "$one"
        {%- for name, type in columns %},
        CAST(NULL AS {{ type }}) AS {{ name }}
        {%- endfor %}
)
WHERE false;
