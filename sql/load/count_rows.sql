-- How many rows the target has: the catalogue knows it, no file is read.
SELECT count(*) FROM lake.main.{{ table | ident }};
