-- The columns of an answer, without its rows. Input: the SELECT.
SELECT * FROM ({{ select }}) LIMIT 0
