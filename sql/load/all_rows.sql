-- All rows of a staging table.
SELECT * FROM {{ name }}
