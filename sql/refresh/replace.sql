-- Put a staged answer in the place of the one before; readers keep the old one until COMMIT.
CREATE OR REPLACE TABLE lake.{{ schema | ident }}.{{ name | ident }} AS SELECT * FROM memory.main.{{ name | ident }};
