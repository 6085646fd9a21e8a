-- How many rows a staged answer has. Output: rows.
SELECT count(*) FROM memory.main.{{ name | ident }};
