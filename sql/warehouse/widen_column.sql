-- A wider type, or a STRUCT with more fields, for a column: what is there keeps its value, new fields are NULL.
ALTER TABLE lake.main.{{ table | ident }} ALTER COLUMN {{ column | ident }} SET DATA TYPE {{ type }};
