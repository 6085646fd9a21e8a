-- How many rows are kept in memory. Input: {{ name }}. Output: one number.
SELECT count(*) FROM {{ name }};
