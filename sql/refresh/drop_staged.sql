-- Forget a staged answer.
DROP TABLE IF EXISTS memory.main.{{ name | ident }};
