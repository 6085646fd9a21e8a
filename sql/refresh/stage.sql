-- Compute an analytic into the private in-memory database. Input: its name and SELECT; values of the snapshot.
CREATE OR REPLACE TABLE memory.main.{{ name | ident }} AS
{{ select }};
