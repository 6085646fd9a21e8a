-- How a derived table differs from what it is when it is made anew. Input: {{ name }}, the quoted columns to compare.
-- Output: too_many (rows that should not be there), missing; each counts a changed row once.
WITH is_there AS (SELECT {{ columns | join(', ') }} FROM lake.main.{{ table | ident }}),
anew AS (SELECT {{ columns | join(', ') }} FROM {{ name }})
SELECT
    (SELECT count(*) FROM (FROM is_there EXCEPT ALL FROM anew)) AS too_many,
    (SELECT count(*) FROM (FROM anew EXCEPT ALL FROM is_there)) AS missing;
